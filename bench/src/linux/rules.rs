//! The rules engine alone: events/s of the example rule, of a thousand of them, and of windows.
//!
//! Beside it, on the same readings: the same rule written by hand as a Rust `if`, and the condition alone
//! in cel's own interpreter. All decide alike, or there is no table. The clock is virtual; the time is
//! given whenever the engine asks for it. CPU time counts, for there is nothing to wait for.

use super::proc;
use super::run::Plan;
use super::table::{Row, Table, median, thousands};
use anyhow::{Context as _, Result, bail, ensure};
use cel::common::types::CelDouble;
use cel::common::value::CowVal;
use cel::context::VariableResolver;
use cel::{Context, Env, Value};
use mtom_protocol::link::Led;
use mtom_protocol::reading::{Reading, StoredReading};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use mtom_rules::{Consequence, Edge, Engine, Event, Outputs, Qos, RuleSpec, State};
use std::sync::Arc;
use std::time::Duration;

const SERIES: usize = 1_000;
const PERIOD: Duration = Duration::from_secs(2);
const BEGINNING: UnixMicros = UnixMicros(1_767_225_600_000_000);
const RATE_MIN: f64 = 1_000_000.0;
const COST_MAX: f64 = 2.0;
const ON: &str = "celsius >= 25.0";

/// Measures everything in each round.
pub(crate) fn measure(plan: Plan, table: &mut Table) -> Result<()> {
    let (mut floor, mut one, mut many) = (Vec::new(), Vec::new(), Vec::new());
    let (mut window, mut cel, mut wild) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        let hand = by_hand(plan.events)?;
        let ours = engine(&rules(1, ON), 1, plan.events)?;
        ensure!(hand.switches == ours.switches, "{} and {}", hand.switches, ours.switches);
        floor.push(hand.rate);
        one.push(ours.rate);
        many.push(engine(&rules(SERIES, ON), SERIES, plan.events)?.rate);
        window.push(engine(&rules(1, "avg(\"5m\") >= 25.0"), 1, plan.events)?.rate);
        let mut any = rules(1, ON);
        any.iter_mut().for_each(|rule| rule.when = "house/+/Temperature".into());
        wild.push(engine(&any, 1, plan.events)?.rate);
        cel.push(interpreter(plan.events)?);
    }
    let rate = |rates: &[f64]| format!("{}/s", thousands(median(rates)));
    let ratios =
        |above: &[f64], below: &[f64]| above.iter().zip(below).map(|(a, b)| a / b).collect();
    table.row(Row {
        what: "rules, one rule",
        ours: rate(&one),
        beside: rate(&floor),
        peer: "by hand",
        ratios: ratios(&one, &floor),
        target: format!("≥ {}/s", thousands(RATE_MIN)),
        met: Some(median(&one) >= RATE_MIN),
    });
    let costs: Vec<f64> = ratios(&one, &many);
    table.row(Row {
        what: "rules, cost among 1,000 on 1,000 series",
        ours: rate(&many),
        beside: rate(&one),
        peer: "one rule",
        met: Some(median(&costs) <= COST_MAX),
        ratios: costs,
        target: format!("≤ {COST_MAX} × the cost"),
    });
    for (what, ours, beside, peer) in [
        ("rules, one rule with avg(\"5m\")", &window, &one, "without"),
        ("rules, one rule with + in its topic", &wild, &one, "without"),
        ("rules, one rule, whole", &one, &cel, "cel, `on` alone"),
    ] {
        let (target, met) = (String::new(), None);
        let (ours_rate, beside_rate) = (rate(ours), rate(beside));
        let ratios = ratios(ours, beside);
        table.row(Row { what, ours: ours_rate, beside: beside_rate, peer, ratios, target, met });
    }
    table.note(format!("rules: {} events each, all on one core.", thousands(plan.events as f64)));
    Ok(())
}

/// What one run came to.
struct Report {
    rate: f64,
    switches: u64,
}

/// The example of the issue, once for each series.
fn rules(count: usize, on: &str) -> Vec<RuleSpec> {
    let rule = |index: usize| RuleSpec {
        name: format!("heat lamp {index}"),
        when: format!("house/sensor-{index}/Temperature"),
        on: on.into(),
        off: Some("celsius < 24.5".into()),
        hold_for: Duration::from_secs(10),
        dwell: Duration::from_secs(5),
        max_age: Some(Duration::from_secs(10)),
        then: vec![
            Consequence::Actuator(format!("LED-{index}")),
            Consequence::Publish {
                topic: "alarm/heat".into(),
                payload: Some("{{ device }} {{ celsius }}".into()),
                edge: Edge::On,
                qos: Qos::AtLeastOnce,
                retain: false,
            },
        ],
        ..RuleSpec::original("LED")
    };
    (0..count).map(rule).collect()
}

/// A day takes a thousand readings: hot in the middle, so that a lamp switches twice.
fn celsius(round: usize) -> f64 {
    let part = round % 1_000;
    18.0 + part.min(1_000 - part) as f64 / 50.0
}

fn reading(series: usize) -> StoredReading {
    let device: Arc<str> = format!("house/sensor-{series}").into();
    let reading = Reading {
        topic: format!("{device}/Temperature").into(),
        device,
        quantity: "Temperature".into(),
        value: 0.0,
        unit: Unit::Celsius,
        taken_at: None,
        key: None,
    };
    StoredReading { id: 0, at: BEGINNING, arrived_at: BEGINNING, suspect: false, reading }
}

fn timed(events: usize, run: impl FnOnce() -> u64) -> Result<Report> {
    let cpu = proc::own_thread_cpu()?;
    let switches = run();
    let took = proc::own_thread_cpu()? - cpu;
    Ok(Report { rate: events as f64 / took.as_secs_f64(), switches })
}

fn engine(rules: &[RuleSpec], series: usize, events: usize) -> Result<Report> {
    let engine = match Engine::compile(rules) {
        Ok(engine) => engine,
        Err(errors) => bail!("the rules are wrong: {errors:?}"),
    };
    let mut state: State = engine.initial(BEGINNING);
    let mut readings: Vec<StoredReading> = (0..series).map(reading).collect();
    let step = PERIOD / u32::try_from(series)?;
    let mut out = Outputs::default();
    timed(events, || {
        let mut now = BEGINNING;
        let mut switches = 0;
        for event in 0..events {
            now = now.saturating_add(step);
            if engine.next_deadline(&state).is_some_and(|due| due < now) {
                engine.step(&mut state, Event::Time, now, &mut out);
            }
            if let Some(stored) = readings.get_mut(event % series) {
                stored.id = event as u64 + 1;
                stored.at = now;
                stored.reading.value = celsius(event / series);
                engine.step(&mut state, Event::Reading(stored), now, &mut out);
            }
            switches += out.decisions.len() as u64;
            out.decisions.clear();
            out.alerts.clear();
        }
        switches
    })
}

/// The example rule as somebody would write it who needs no other.
#[derive(Default)]
pub(super) struct Hand {
    last_id: u64,
    newest: i64,
    heard: i64,
    silent: bool,
    shown: Option<(Led, i64)>,
    forming: Option<(Led, i64)>,
    settled: Option<Led>,
}

impl Hand {
    /// Off since `start`, for want of readings.
    pub(super) fn silent(start: i64) -> Self {
        Self { heard: start, silent: true, shown: Some((Led::Off, start)), ..Self::default() }
    }

    pub(super) fn read(
        &mut self,
        topic: &str,
        id: u64,
        at: i64,
        celsius: f64,
        now: i64,
    ) -> Option<Led> {
        if topic != "house/sensor-0/Temperature" || id <= self.last_id || at < self.newest {
            return None;
        }
        (self.last_id, self.newest) = (id, at);
        self.heard = self.heard.max(at.min(now));
        self.silent = false;
        let wish = if celsius >= 25.0 {
            Some(Led::On)
        } else if celsius < 24.5 {
            Some(Led::Off)
        } else {
            None
        };
        match wish {
            Some(led) if Some(led) != self.settled.or(self.shown.map(|(led, _)| led)) => {
                if self.forming.is_none_or(|(forming, _)| forming != led) {
                    self.forming = Some((led, now));
                }
            }
            _ => self.forming = None,
        }
        self.settle(now)
    }

    pub(super) fn settle(&mut self, now: i64) -> Option<Led> {
        if !self.silent && now - self.heard >= 10_000_000 {
            self.silent = true;
            (self.forming, self.settled) = (None, None);
            let is_off = self.shown.is_some_and(|(led, _)| led == Led::Off);
            self.shown = Some((Led::Off, now));
            return (!is_off).then_some(Led::Off);
        }
        if let Some((led, since)) = self.forming
            && now - since >= 10_000_000
        {
            self.forming = None;
            self.settled =
                Some(led).filter(|led| self.shown.is_none_or(|(shown, _)| shown != *led));
        }
        if let Some(led) = self.settled
            && self.shown.is_none_or(|(_, since)| now - since >= 5_000_000)
        {
            self.settled = None;
            self.shown = Some((led, now));
            return Some(led);
        }
        None
    }
}

fn by_hand(events: usize) -> Result<Report> {
    let mut stored = reading(0);
    let mut hand = Hand { heard: BEGINNING.0, ..Hand::default() };
    timed(events, || {
        let mut now = BEGINNING;
        let mut switches = 0;
        for event in 0..events {
            now = now.saturating_add(PERIOD);
            stored.id = event as u64 + 1;
            stored.at = now;
            stored.reading.value = celsius(event);
            let stored = std::hint::black_box(&stored);
            let (topic, value) = (&*stored.reading.topic, stored.reading.value);
            switches += u64::from(hand.settle(now.0 - 1).is_some());
            switches += u64::from(hand.read(topic, stored.id, stored.at.0, value, now.0).is_some());
        }
        switches
    })
}

/// The one variable of the condition.
struct Celsius(f64);

impl VariableResolver for Celsius {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        (variable == "celsius").then(|| CowVal::owned(CelDouble::from(self.0)))
    }
}

/// Events/s of the condition alone.
fn interpreter(events: usize) -> Result<f64> {
    let env = Arc::new(Env::default().with_optional_support(false).with_stdlib());
    let expression = env.parser().parse(ON).ok().context("cel reads the condition")?;
    let report = timed(events, || {
        let mut hot = 0;
        for event in 0..events {
            let celsius = Celsius(celsius(event));
            let mut context = Context::with_env(env.clone());
            context.set_variable_resolver(&celsius);
            let value = Value::resolve(&expression, &context);
            hot += u64::from(matches!(value, Ok(Value::Bool(true))));
        }
        hot
    })?;
    ensure!(report.switches > 0, "cel never found it hot");
    Ok(report.rate)
}
