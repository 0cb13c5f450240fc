//! The one table of a run, and the numbers behind its cells.

/// Rows in the order in which they were measured, and remarks below them.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    grids: Vec<Grid>,
    notes: Vec<String>,
}

/// Lines that have columns of their own. The first column is text.
pub(crate) struct Grid {
    pub(crate) head: Vec<String>,
    pub(crate) lines: Vec<Vec<String>>,
}

/// One line.
pub(crate) struct Row {
    /// The benchmark and what it measures.
    pub(crate) what: &'static str,
    pub(crate) ours: String,
    pub(crate) beside: String,
    /// What stands in `beside`.
    pub(crate) peer: &'static str,
    /// Of each round. Empty where there is nothing to divide by.
    pub(crate) ratios: Vec<f64>,
    pub(crate) target: String,
    /// `None`: for information.
    pub(crate) met: Option<bool>,
}

impl Table {
    /// Adds a line.
    pub(crate) fn row(&mut self, row: Row) {
        let spread = match (row.ratios.len() > 1, least(&row.ratios), most(&row.ratios)) {
            (true, least, most) => format!("{least:.2}–{most:.2}"),
            (false, ..) => String::new(),
        };
        let ratio = match row.ratios.is_empty() {
            true => String::new(),
            false => format!("{:.2}", median(&row.ratios)),
        };
        let verdict = match row.met {
            Some(true) => "pass",
            Some(false) => "BELOW",
            None => "",
        };
        let beside = format!("{} {}", row.beside, row.peer).trim().to_owned();
        let (what, target) = (row.what.to_owned(), row.target);
        let verdict = verdict.to_owned();
        self.rows.push(vec![what, row.ours, beside, ratio, spread, target, verdict]);
    }

    /// Adds a line with nothing beside it.
    pub(crate) fn alone(&mut self, what: &'static str, ours: String, target: String, met: bool) {
        let (beside, ratios) = (String::new(), Vec::new());
        self.row(Row { what, ours, beside, peer: "", ratios, target, met: Some(met) });
    }

    /// Adds a remark.
    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Adds lines with columns of their own.
    pub(crate) fn grid(&mut self, grid: Grid) {
        self.grids.push(grid);
    }

    /// Prints everything.
    pub(crate) fn print(&self) {
        let head = ["what", "mtom", "beside", "ratio", "of rounds", "target", ""];
        let head: Vec<String> = head.map(str::to_owned).into();
        if !self.rows.is_empty() {
            lay_out(&head, &self.rows, &[0, 2, 6]);
        }
        for grid in &self.grids {
            lay_out(&grid.head, &grid.lines, &[0, grid.head.len() - 1]);
        }
        println!();
        for note in &self.notes {
            println!("{note}");
        }
    }
}

/// Prints lines under their head. Columns are flush right but for those in `left`.
fn lay_out(head: &Vec<String>, lines: &[Vec<String>], left: &[usize]) {
    let all = || std::iter::once(head).chain(lines);
    let width = |at: usize| {
        all().filter_map(|line| line.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    println!();
    for (number, line) in all().enumerate() {
        let cells = line.iter().zip(&widths).enumerate().map(|(at, (cell, &width))| {
            match left.contains(&at) {
                true => format!("{cell:<width$}"),
                false => format!("{cell:>width$}"),
            }
        });
        println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
        if number == 0 {
            println!("{}", "-".repeat(widths.iter().sum::<usize>() + 2 * (widths.len() - 1)));
        }
    }
}

/// The one in the middle; 0 of none.
pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value that this part of all values does not exceed; 0 of none.
pub(crate) fn quantile(values: &[f64], part: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a position within a short list"
    )]
    let at = ((values.len() as f64 * part) as usize).min(values.len().saturating_sub(1));
    values.get(at).copied().unwrap_or(0.0)
}

/// With a blank between thousands.
pub(crate) fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

/// The largest; 0 of none.
pub(crate) fn most(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}
