//! Durable ingest: QoS 1 readings/s that are acknowledged after their commit, with 1,000 connections.
//!
//! Beside it mosquitto forwards the same messages of the same generator to one QoS 1 subscriber,
//! without a disk. The generator is shown not to be what limits either: against a child that only
//! acknowledges it must be well above both.

use super::load::{Order, Report};
use super::mosquitto::Mosquitto;
use super::mtom::Mtom;
use super::role::Role;
use super::run::Plan;
use super::table::{Row, Table, median, thousands};
use anyhow::{Result, ensure};

const CONNECTIONS: usize = 1_000;
/// Unacknowledged messages of each connection.
const WINDOW: u16 = 10;
const TARGET: f64 = 0.5;
/// How far the generator must be above the faster of the two.
const HEADROOM: f64 = 1.5;

/// Measures both ways of naming topics, then the generator, in each round.
pub(crate) async fn measure(plan: Plan, table: &mut Table) -> Result<()> {
    let (mut one, mut many) = (Pairs::default(), Pairs::default());
    let mut alone = Vec::new();
    for _ in 0..plan.rounds {
        for own_topics in [false, true] {
            let pairs = if own_topics { &mut many } else { &mut one };
            pairs.theirs.push(mosquitto(plan, own_topics).await?);
            pairs.ours.push(mtom(plan, own_topics).await?);
        }
        alone.push(generator(plan).await?);
    }
    table.row(one.row("ingest, one topic"));
    table.row(many.row("ingest, 1,000 topics"));
    let alone_rate = rate(&alone, |report| report.acked_per_s);
    let pairs = [&one, &many];
    let fastest = pairs.map(|pairs| {
        let theirs = rate(&pairs.theirs, |report| report.received_per_s);
        theirs.max(rate(&pairs.ours, |report| report.acked_per_s))
    });
    let headroom = alone_rate / fastest[0].max(fastest[1]);
    table.row(Row {
        what: "ingest, the generator alone",
        ours: String::new(),
        beside: format!("{}/s", thousands(alone_rate)),
        peer: "null acker",
        ratios: vec![headroom],
        target: format!("≥ {HEADROOM} × the faster"),
        met: Some(headroom >= HEADROOM),
    });
    table.note(format!(
        "ingest: {CONNECTIONS} connections, window {WINDOW}; CPU, 100 % is one core, of generator and \
         broker: null acker {}, mosquitto {}, mtom {}. All that was acknowledged is stored, once.",
        cpu(&alone),
        cpu(&one.theirs),
        cpu(&one.ours),
    ));
    Ok(())
}

#[derive(Default)]
struct Pairs {
    ours: Vec<Report>,
    theirs: Vec<Report>,
}

impl Pairs {
    fn row(&self, what: &'static str) -> Row {
        let rounds = self.ours.iter().zip(&self.theirs);
        let ratios: Vec<f64> =
            rounds.map(|(ours, theirs)| ours.acked_per_s / theirs.received_per_s).collect();
        Row {
            what,
            ours: format!("{}/s", thousands(rate(&self.ours, |report| report.acked_per_s))),
            beside: format!("{}/s", thousands(rate(&self.theirs, |report| report.received_per_s))),
            peer: "mosquitto",
            met: Some(median(&ratios) >= TARGET),
            ratios,
            target: format!("≥ {TARGET}"),
        }
    }
}

async fn mtom(plan: Plan, own_topics: bool) -> Result<Report> {
    let mtom = Mtom::start(&[]).await?;
    let report = order(plan, &mtom.mqtt, mtom.pid, own_topics).run().await?;
    let (stored, rejected) = (mtom.audit("stored").await?, mtom.audit("rejected").await?);
    ensure!(
        stored == report.acked && rejected == 0,
        "acknowledged {}, stored {stored}, rejected {rejected}",
        report.acked
    );
    mtom.end().await?;
    Ok(report)
}

async fn mosquitto(plan: Plan, own_topics: bool) -> Result<Report> {
    let mosquitto = Mosquitto::start().await?;
    let order = order(plan, &mosquitto.address, mosquitto.pid, own_topics);
    let report = Order { subscriber: true, ..order }.run().await?;
    mosquitto.end().await?;
    Ok(report)
}

async fn generator(plan: Plan) -> Result<Report> {
    let mut acker = Role::start("acker", &[])?;
    let address = acker.line().await?;
    let report = order(plan, &address, acker.pid, false).run().await?;
    acker.end().await?;
    Ok(report)
}

fn order(plan: Plan, broker: &str, broker_pid: u32, own_topics: bool) -> Order {
    Order {
        broker: broker.to_owned(),
        broker_pid,
        connections: CONNECTIONS,
        window: WINDOW,
        own_topics,
        subscriber: false,
        warm: plan.warm,
        measure: plan.measure,
    }
}

fn rate(reports: &[Report], of: impl Fn(&Report) -> f64) -> f64 {
    median(&reports.iter().map(of).collect::<Vec<_>>())
}

fn cpu(reports: &[Report]) -> String {
    let own = rate(reports, |report| report.own_cpu) * 100.0;
    let broker = rate(reports, |report| report.broker_cpu) * 100.0;
    format!("{own:.0} % + {broker:.0} %")
}
