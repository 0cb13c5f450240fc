//! `mtom rules test` and `POST /api/v1/rules/test`: runs the cases beside rules and says what came of them.

use super::arguments::Test;
use super::cases::{Case, Outcome, sentence};
use super::junit::{Suite, Verdict, xml};
use super::source::{self, Source, WrongFile};
use crate::{Failure, report};
use anyhow::Context;
use mtom_dashboard::trial;
use mtom_gateway::control::{Mistake, ReadRules};
use mtom_rules::{Engine, RuleError};
use std::sync::Arc;

pub(crate) fn run(arguments: &Test) -> Result<(), Failure> {
    let name = arguments.file.display().to_string();
    let source = Source::open(&arguments.file)?;
    let cases = source.cases(&name)?;
    if cases.is_empty() {
        return Err(Failure::File(format!(
            "{name}: no case: write one below its rule, as in\n  [[rule.test]]\n  given  = \
             \"12:00:00 24.0 | 12:00:02 26.0 | silence 5s\"\n  expect = \"12:00:02 TEMP_LED on\""
        )));
    }
    let outcomes: Vec<_> = cases.iter().map(|case| (case, case.run(&source.engine))).collect();
    for (case, outcome) in &outcomes {
        if outcome.mismatches.is_empty() {
            report::line(&format!("ok      {} / {}", case.rule, case.name));
            continue;
        }
        let (rule, line) = (&case.rule, case.line);
        report::line(&format!("FAILED  {rule} / {}   {name}:{line}", case.name));
        for line in case.explain(outcome) {
            report::line(&line);
        }
    }
    if let Some(path) = &arguments.junit {
        std::fs::write(path, xml(&suites(&source, &name, &outcomes)))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let failed = outcomes.iter().filter(|(_, outcome)| !outcome.mismatches.is_empty()).count();
    match (failed, outcomes.len()) {
        (0, 1) => report::line("1 case passes"),
        (0, all) => report::line(&format!("{all} cases pass")),
        (failed, all) => {
            return Err(Failure::Failed(anyhow::anyhow!("{failed} of {all} cases failed")));
        }
    }
    Ok(())
}

/// The cases of a text of rules as the API asks for them, of rules that `read` understands.
pub(crate) fn trier(read: ReadRules) -> trial::Trial {
    Arc::new(move |text| {
        let specs = read(text)?;
        let engine = Engine::compile(&specs).map_err(|errors| {
            let mistake = |error: &RuleError| Mistake { place: None, text: error.to_string() };
            errors.iter().map(mistake).collect::<Vec<_>>()
        })?;
        Ok(source::cases(&specs, text)?.iter().map(|case| tried(case, &engine)).collect())
    })
}

fn tried(case: &Case, engine: &Engine) -> trial::Tried {
    let outcome = case.run(engine);
    let failures: Vec<_> = outcome.mismatches.iter().map(sentence).collect();
    let picture = if failures.is_empty() { Vec::new() } else { case.explain(&outcome) };
    let (rule, name) = (case.rule.clone(), case.name.clone());
    trial::Tried { rule, name, line: case.line, failures, picture }
}

fn suites<'a>(
    source: &'a Source,
    file: &'a str,
    outcomes: &'a [(&'a Case, Outcome)],
) -> Vec<Suite<'a>> {
    let suite = |name: &'a String| {
        let of_rule = outcomes.iter().filter(move |(case, _)| case.rule == *name);
        let cases = of_rule.map(|(case, outcome)| Verdict {
            name: &case.name,
            file,
            line: case.line,
            failure: outcome.mismatches.first().map(|first| {
                let text = format!("\n{}\n", case.explain(outcome).join("\n"));
                (sentence(first), text)
            }),
        });
        Suite { name, cases: cases.collect() }
    };
    source.specs.iter().map(|spec| suite(&spec.name)).filter(|it| !it.cases.is_empty()).collect()
}

impl From<WrongFile> for Failure {
    fn from(WrongFile(mistakes): WrongFile) -> Self {
        match mistakes.as_slice() {
            [one] => Self::File(one.clone()),
            more => Self::File(format!("{} mistakes:\n  {}", more.len(), more.join("\n  "))),
        }
    }
}
