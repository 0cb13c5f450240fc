//! The full screen: readings with a small chart, actuators, the log and the account.

use super::Heard;
use super::model::Model;
use crate::clock;
use crate::link::moment;
use anyhow::Result;
use jiff::tz::TimeZone;
use mtom_protocol::time::UnixMicros;
use ratatui::DefaultTerminal;
use ratatui::Frame;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph, Row, Sparkline, Table};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Ages grow, so the screen is drawn anew at least this often.
const REDRAW: Duration = Duration::from_millis(500);
const KEY_WAIT: Duration = Duration::from_millis(100);
/// Three readings of the original's sensor: older is stale.
const STALE_SECONDS: i64 = 6;

/// Shows until a key ends it.
pub(super) async fn show(
    url: &str,
    mut heard: mpsc::Receiver<Heard>,
    stop: &CancellationToken,
) -> Result<()> {
    let mut terminal = ratatui::try_init()?;
    let (moves, moved) = watch::channel(0);
    let keys = tokio::task::spawn_blocking({
        let stop = stop.clone();
        move || take_keys(&moves, &stop)
    });
    let outcome = draw(&mut terminal, url, &mut heard, moved, stop).await;
    stop.cancel();
    let _ = keys.await;
    ratatui::try_restore()?;
    outcome
}

/// Moves the chart by the arrow keys. Returns when the user has pressed q, Esc or Ctrl-C, or when it
/// ends otherwise.
fn take_keys(moves: &watch::Sender<i64>, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        let key = match event::poll(KEY_WAIT).and_then(|ready| ready.then(event::read).transpose())
        {
            Ok(Some(Event::Key(key))) if key.kind == KeyEventKind::Press => key,
            Ok(_) => continue,
            Err(_) => break,
        };
        let control_c =
            key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            _ if control_c => break,
            KeyCode::Char('q') | KeyCode::Esc => break,
            KeyCode::Up | KeyCode::Char('k') => moves.send_modify(|moves| *moves -= 1),
            KeyCode::Down | KeyCode::Char('j') => moves.send_modify(|moves| *moves += 1),
            _ => {}
        }
    }
    stop.cancel();
}

async fn draw(
    terminal: &mut DefaultTerminal,
    url: &str,
    heard: &mut mpsc::Receiver<Heard>,
    mut moved: watch::Receiver<i64>,
    stop: &CancellationToken,
) -> Result<()> {
    let mut model = Model::new(TimeZone::system());
    let mut connection = format!("connecting to {url}");
    let now = clock::system();
    loop {
        let moves = *moved.borrow_and_update();
        terminal.draw(|frame| paint(frame, &model, &connection, moves, now().0))?;
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            Ok(()) = moved.changed() => {}
            () = tokio::time::sleep(REDRAW) => {}
            event = heard.recv() => match event {
                None => return Ok(()),
                Some(Heard::Connected) => connection = format!("connected to {url}"),
                Some(Heard::Lost(reason)) => connection = format!("not connected: {reason}"),
                Some(Heard::Frame(frame)) => drop(model.take(&frame)),
            },
        }
    }
}

/// One picture at `now` microseconds, with the chart moved by so many series.
pub(super) fn paint(frame: &mut Frame<'_>, model: &Model, connection: &str, moves: i64, now: i64) {
    let charted = charted(model, moves);
    let series_rows = u16::try_from(model.series.len()).unwrap_or(u16::MAX).clamp(1, 12) + 2;
    let actuator_rows = u16::try_from(model.actuators.len()).unwrap_or(u16::MAX).clamp(1, 6) + 2;
    let [head, readings, chart, actuators, log, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(series_rows),
        Constraint::Length(5),
        Constraint::Length(actuator_rows),
        Constraint::Min(3),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    let bold = Style::new().add_modifier(Modifier::BOLD);
    frame.render_widget(Line::styled(format!("mtom  {connection}"), bold), head);
    paint_series(frame, readings, model, charted, now);
    paint_chart(frame, chart, model, charted);
    paint_actuators(frame, actuators, model, UnixMicros(now));
    let visible = usize::from(log.height.saturating_sub(2));
    let lines: Vec<_> =
        model.log.iter().rev().take(visible).rev().map(|line| Line::raw(line.as_str())).collect();
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title("log")), log);
    frame.render_widget(Line::raw(format!("{}   ↑↓ chart, q ends", model.counts)), foot);
}

/// Which series the chart shows: the first temperature, or so many behind it.
fn charted(model: &Model, moves: i64) -> usize {
    let first = model.series.values().position(|series| series.celsius.is_some()).unwrap_or(0);
    let count = i64::try_from(model.series.len()).unwrap_or(i64::MAX).max(1);
    let first = i64::try_from(first).unwrap_or(0);
    usize::try_from((first + moves).rem_euclid(count)).unwrap_or(0)
}

fn paint_series(frame: &mut Frame<'_>, area: Rect, model: &Model, charted: usize, now: i64) {
    let rows = model.series.iter().enumerate().map(|(index, (name, series))| {
        let age = (now - series.at_micros).max(0) / 1_000_000;
        let offline = model.offline.get(&series.device);
        let is_grey = age > STALE_SECONDS || offline.is_some();
        let style = if is_grey { Style::new().fg(Color::DarkGray) } else { Style::new() };
        let mark = if index == charted { '›' } else { ' ' };
        let when = match offline {
            Some(since) => {
                let since = moment(UnixMicros(*since), UnixMicros(now), &model.zone);
                format!("offline since {since}")
            }
            None => format!("{age} s ago"),
        };
        Row::new([format!("{mark} {name}"), series.words(), when]).style(style)
    });
    let widths = [Constraint::Fill(2), Constraint::Fill(2), Constraint::Length(33)];
    let table = Table::new(rows, widths).block(Block::bordered().title("readings"));
    frame.render_widget(table, area);
}

/// One series, from its lowest to its highest value.
fn paint_chart(frame: &mut Frame<'_>, area: Rect, model: &Model, charted: usize) {
    let Some((name, series)) = model.series.iter().nth(charted) else { return };
    let width = usize::from(area.width.saturating_sub(2));
    let points: Vec<f64> = series.chart.iter().rev().take(width).rev().copied().collect();
    let (min, max) = points
        .iter()
        .fold((f64::MAX, f64::MIN), |(min, max), point| (min.min(*point), max.max(*point)));
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 1 and 100 by the line itself"
    )]
    let height =
        |point: &f64| ((point - min) / (max - min).max(0.1) * 99.0 + 1.0).clamp(1.0, 100.0) as u64;
    let title = format!("{name}  {min:.1} … {max:.1}");
    let bars = points.iter().map(height).collect::<Vec<_>>();
    frame
        .render_widget(Sparkline::default().data(bars).block(Block::bordered().title(title)), area);
}

fn paint_actuators(frame: &mut Frame<'_>, area: Rect, model: &Model, now: UnixMicros) {
    let rows = model.actuators.iter().map(|(name, actuator)| {
        let lamp = if actuator.on { "●" } else { "○" };
        let color = if actuator.on { Color::Yellow } else { Color::Reset };
        Row::new([
            format!("{lamp} {name}"),
            format!("LED {}", actuator.led),
            format!("wanted {}", actuator.wanted),
            format!("link {}", actuator.link.words(now, &model.zone)),
            actuator.trust.clone(),
        ])
        .style(Style::new().fg(color))
    });
    let widths = [
        Constraint::Fill(3),
        Constraint::Fill(3),
        Constraint::Fill(2),
        Constraint::Fill(8),
        Constraint::Length(15),
    ];
    frame.render_widget(Table::new(rows, widths).block(Block::bordered().title("actuators")), area);
}
