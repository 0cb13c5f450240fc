//! One gateway, one link and one LED as a state, and what can happen to them.
//!
//! The session and the lamp are the real ones, asleep between two steps. Mirrored in a few lines:
//! the pump (`mtom-actuator/src/pump.rs`: what is right is written as soon as the link takes it, a
//! fault ends the connection), `serve` (`mtom-device/src/actuator/serve.rs`: a line is answered on
//! the link that it came from, the end of a lease is said there), the board and the relay
//! (`mtom-gateway/src/board.rs`, `relay.rs`: a new number for a device that is ahead, and for the
//! state that stood when the last process ended). One tick is a second.

use mtom_actuator::model::LinkModel;
use mtom_actuator::{Desired, Protocol, Report, Settings};
use mtom_device::actuator::model::LampModel;
use mtom_protocol::link::Led::{self, Off, On};
use mtom_protocol::link::{Report as Said, Request};
use std::time::Duration;

const TICK: Duration = Duration::from_secs(1);
const TICK_MILLIS: u64 = 1_000;
pub(crate) const LEASE_TICKS: u8 = 4;
/// After so many ticks without a fault all is as desired: the keep-alive finds out, and the answer
/// leads to a new command in the same tick.
pub(crate) const CALM_TICKS: u8 = 4;
/// Lines in flight in one direction; a full link takes no more.
const IN_FLIGHT_MAX: usize = 2;

/// How often what may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    /// The rules change their mind.
    pub(crate) changes: u8,
    /// Lines lost, doubled or late, and broken links.
    pub(crate) faults: u8,
    /// The gateway dies, or the device loses its power.
    pub(crate) deaths: u8,
}

/// A defect that the check must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    /// The device obeys any number.
    NumbersIgnored,
    /// The safe state never comes.
    LeaseEndless,
    /// Only the first request of a lease counts.
    LeaseNotRenewed,
    /// After a reconnect the first state that was ever wanted is sent again.
    OldStateAfterReconnect,
    /// A command turns the LED over, whatever it asks for.
    Toggles,
    /// The device answers before the pin has changed, and then it does not change.
    AnswersWithoutActing,
    /// A device that is ahead gets no new number.
    AheadIgnored,
    /// What was sent is reported as what is.
    SentIsReported,
}

/// A line in flight.
type Line = Vec<u8>;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct House {
    /// `None` while its process is dead.
    gateway: Option<Gateway>,
    /// In the journal: what is desired, and the next number.
    desired: Desired,
    next_number: u64,
    /// The link is broken and nobody can connect.
    away: bool,
    requests: Vec<Line>,
    reports: Vec<Line>,
    /// A line that comes some day, on whatever connection there is then.
    late_request: Option<Line>,
    late_report: Option<Line>,
    pub(crate) lamp: LampModel,
    left: Budget,
    pub(crate) seen: Seen,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Gateway {
    link: LinkModel,
    /// The highest number that the device has reported.
    number_seen: u64,
    /// What the board shows.
    reported: Option<Desired>,
}

/// What an onlooker who sees everything knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Seen {
    /// What the LED really was because of each command it obeyed.
    obeyed: Vec<Desired>,
    /// An old command was obeyed.
    pub(crate) stale: bool,
    /// "Applied" was reported and the LED never was so.
    pub(crate) lied: bool,
    /// Ticks since the device was asked anything, at most the lease.
    pub(crate) silence: u8,
    /// Ticks since the last fault or change, at most [`CALM_TICKS`].
    pub(crate) calm: u8,
    /// A lease has ended with the LED out of its safe state.
    pub(crate) lapsed: bool,
    /// A connection has ended.
    hung_up: bool,
    /// The device was ahead.
    pub(crate) ahead: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Change,
    HearRequest,
    HearReport,
    LoseRequest,
    LoseReport,
    DoubleRequest,
    DoubleReport,
    /// A copy of the line stays behind somewhere, and comes later.
    DelayRequest,
    DelayReport,
    LateRequest,
    LateReport,
    /// Time passes though lines are in flight.
    Stall,
    Tick,
    Break,
    Back,
    Die,
    Restart,
    PowerCut,
}

/// What does not change while a house lives.
pub(crate) struct Rules {
    pub(crate) settings: Settings,
    pub(crate) defect: Option<Defect>,
}

impl Rules {
    pub(crate) fn new(defect: Option<Defect>) -> Self {
        let link = "tcp:led:7000".parse().expect("an address");
        let settings = Settings {
            protocol: Protocol::Second,
            refresh: 3 * TICK,
            first_refresh: 3 * TICK,
            ack_timeout: TICK,
            keep_alive: 2 * TICK,
            answer_timeout: 2 * TICK,
            ..Settings::new("LED", link)
        };
        Self { settings, defect }
    }

    fn has(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }
}

impl House {
    pub(crate) fn new(rules: &Rules, left: Budget) -> Self {
        let mut house = Self {
            gateway: Some(Gateway::default()),
            desired: Desired { led: On, number: 1 },
            next_number: 2,
            away: false,
            requests: Vec::new(),
            reports: Vec::new(),
            late_request: None,
            late_report: None,
            lamp: LampModel::new(Off, u64::from(LEASE_TICKS) * TICK_MILLIS, 0),
            left,
            seen: Seen::default(),
        };
        house.settle(rules);
        house
    }

    /// All that may happen now.
    pub(crate) fn events(&self, events: &mut Vec<Event>) {
        use Event::{
            Back, Break, Change, DelayReport, DelayRequest, Die, DoubleReport, DoubleRequest,
            HearReport, HearRequest, LateReport, LateRequest, LoseReport, LoseRequest, PowerCut,
            Restart, Stall, Tick,
        };
        let (asked, said) = (!self.requests.is_empty(), !self.reports.is_empty());
        let (alive, connected) = (self.gateway.is_some(), self.is_connected());
        let fault = self.left.faults > 0;
        let death = self.left.deaths > 0;
        let candidates = [
            (HearRequest, asked),
            (HearReport, said),
            (Tick, !asked && !said),
            (Stall, (asked || said) && fault),
            (Change, alive && self.left.changes > 0),
            (LoseRequest, asked && fault),
            (LoseReport, said && fault),
            (DoubleRequest, asked && fault),
            (DoubleReport, said && fault),
            (DelayRequest, asked && fault && self.late_request.is_none()),
            (DelayReport, said && fault && self.late_report.is_none()),
            (LateRequest, self.late_request.is_some()),
            (LateReport, self.late_report.is_some() && connected),
            (Break, connected && fault),
            (Back, self.away),
            (Die, alive && death),
            (Restart, !alive),
            (PowerCut, death),
        ];
        events.extend(candidates.into_iter().filter(|(_, may)| *may).map(|(event, _)| event));
    }

    /// Does it.
    pub(crate) fn happen(&mut self, event: Event, rules: &Rules) {
        match event {
            Event::HearRequest => {
                let line = self.requests.remove(0);
                self.device_hears(&line, rules);
            }
            Event::HearReport => {
                let line = self.reports.remove(0);
                self.gateway_hears(&line, rules);
            }
            Event::Tick => self.pass(rules),
            Event::Change => {
                self.seen.calm = 0;
                self.left.changes -= 1;
                let led = if self.desired.led == On { Off } else { On };
                self.want(led);
            }
            Event::LateRequest => {
                self.seen.calm = 0;
                if let Some(line) = self.late_request.take() {
                    self.device_hears(&line, rules);
                }
            }
            Event::LateReport => {
                self.seen.calm = 0;
                if let Some(line) = self.late_report.take() {
                    self.gateway_hears(&line, rules);
                }
            }
            Event::Back => {
                self.away = false;
                self.seen.calm = 0;
            }
            Event::Restart => {
                self.gateway = Some(Gateway::default());
                self.seen.calm = 0;
                // What stood when the last process ended is said again, under a new number.
                self.want(self.desired.led);
            }
            Event::Die | Event::PowerCut => self.die(event),
            Event::LoseRequest
            | Event::LoseReport
            | Event::DoubleRequest
            | Event::DoubleReport
            | Event::DelayRequest
            | Event::DelayReport
            | Event::Stall
            | Event::Break => self.fail(event, rules),
        }
        self.settle(rules);
    }

    /// Nothing was amiss for long enough.
    pub(crate) fn is_calm(&self) -> bool {
        self.seen.calm >= CALM_TICKS
    }

    /// What is desired, what is reported and what is are the same.
    pub(crate) fn agrees(&self) -> bool {
        let reported = self.gateway.as_ref().and_then(|gateway| gateway.reported);
        reported == Some(self.desired)
            && self.lamp.pin == self.desired.led
            && self.lamp.number == self.desired.number
    }

    fn is_connected(&self) -> bool {
        self.gateway.as_ref().is_some_and(|gateway| gateway.link.is_up())
    }

    fn fail(&mut self, event: Event, rules: &Rules) {
        self.left.faults -= 1;
        match event {
            Event::LoseRequest => drop(self.requests.remove(0)),
            Event::LoseReport => drop(self.reports.remove(0)),
            Event::DoubleRequest => self.requests.push(self.requests[0].clone()),
            Event::DoubleReport => self.reports.push(self.reports[0].clone()),
            Event::DelayRequest => self.late_request = Some(self.requests.remove(0)),
            Event::DelayReport => self.late_report = Some(self.reports.remove(0)),
            Event::Break => {
                self.away = true;
                self.hang_up();
            }
            // A stall.
            _ => self.pass(rules),
        }
        self.seen.calm = 0;
    }

    fn die(&mut self, event: Event) {
        self.left.deaths -= 1;
        self.seen.calm = 0;
        self.hang_up();
        if event == Event::Die {
            self.gateway = None;
        } else {
            self.lamp.restart();
        }
    }

    fn hang_up(&mut self) {
        self.seen.hung_up = true;
        self.requests.clear();
        self.reports.clear();
        if let Some(gateway) = &mut self.gateway {
            gateway.link.disconnect();
        }
    }

    /// The rules want it, under a number above all that were given out and all that were reported.
    fn want(&mut self, led: Led) {
        let number_seen = self.gateway.as_ref().map_or(0, |gateway| gateway.number_seen);
        let number = self.next_number.max(number_seen + 1);
        self.next_number = number + 1;
        self.desired = Desired { led, number };
    }

    fn pass(&mut self, rules: &Rules) {
        if let Some(gateway) = &mut self.gateway {
            gateway.link.pass(&rules.settings, TICK);
        }
        let lapse = self.lamp.pass(TICK_MILLIS);
        if rules.has(Defect::LeaseEndless) {
            self.lamp.silence_millis = 0;
        }
        if let Some(line) = lapse {
            self.seen.lapsed = true;
            if self.is_connected() {
                self.reports.push(line.as_bytes().to_vec());
            }
        }
        self.seen.silence = (self.seen.silence + 1).min(LEASE_TICKS);
        let fair = self.gateway.is_some() && !self.away;
        self.seen.calm = if fair { (self.seen.calm + 1).min(CALM_TICKS) } else { 0 };
    }

    fn device_hears(&mut self, line: &[u8], rules: &Rules) {
        let request = Request::parse(line).expect("a gateway sends requests only");
        let before = self.lamp;
        if let Request::Set { number, .. } = request
            && rules.has(Defect::NumbersIgnored)
        {
            self.lamp.number = number - 1;
        }
        let answer = self.lamp.hear(line);
        if rules.has(Defect::LeaseNotRenewed) && before.pin == self.lamp.pin {
            self.lamp.silence_millis = before.silence_millis;
        }
        let answer = answer.map(|line| line.as_bytes().to_vec()).unwrap_or_default();
        self.seen.silence = 0;
        if let Ok(Said::Applied { number, .. }) = Said::parse(&answer) {
            if rules.has(Defect::AnswersWithoutActing) {
                self.lamp.pin = before.pin;
            }
            if rules.has(Defect::Toggles) {
                self.lamp.pin = if before.pin == On { Off } else { On };
                self.lamp.led = self.lamp.pin;
            }
            self.seen.stale |= self.seen.obeyed.iter().any(|obeyed| obeyed.number > number);
            self.seen.obeyed.push(Desired { led: self.lamp.pin, number });
        }
        if self.is_connected() {
            self.reports.push(answer);
        }
    }

    fn gateway_hears(&mut self, line: &[u8], rules: &Rules) {
        let Some(gateway) = &mut self.gateway else { return };
        let reports = gateway.link.receive(&rules.settings, &[line, b"\n"].concat());
        self.board_hears(reports, rules);
    }

    fn board_hears(&mut self, reports: Vec<Report>, rules: &Rules) {
        for report in reports {
            let Some(gateway) = &mut self.gateway else { return };
            let (led, number) = match report {
                Report::Applied { led, number, .. } => {
                    self.seen.lied |= !self.seen.obeyed.contains(&Desired { led, number });
                    (led, number)
                }
                Report::Sent { led, number, .. } if rules.has(Defect::SentIsReported) => {
                    self.seen.lied |= !self.seen.obeyed.contains(&Desired { led, number });
                    (led, number)
                }
                Report::State { led, number } | Report::Ahead { led, number } => (led, number),
                _ => continue,
            };
            gateway.reported = Some(Desired { led, number });
            gateway.number_seen = gateway.number_seen.max(number);
            if matches!(report, Report::Ahead { .. }) {
                self.seen.ahead = true;
                if !rules.has(Defect::AheadIgnored) {
                    self.want(self.desired.led);
                }
            }
        }
    }

    /// What happens without delay: the gateway connects, gives up, and writes what is due.
    fn settle(&mut self, rules: &Rules) {
        let settings = &rules.settings;
        let mut again = true;
        while again && let Some(gateway) = &mut self.gateway {
            again = false;
            if self.away {
                return;
            }
            let mut reports = Vec::new();
            if gateway.link.is_faulty(settings) {
                self.hang_up();
                again = true;
                continue;
            }
            let mut desired = self.desired;
            if !gateway.link.is_up() {
                reports = gateway.link.connect(settings);
                again = true;
            }
            if rules.has(Defect::OldStateAfterReconnect) && self.seen.hung_up {
                desired = Desired { led: On, number: 1 };
            }
            gateway.link.desire(settings, desired);
            if self.requests.len() < IN_FLIGHT_MAX {
                let (bytes, sent) = gateway.link.write(settings);
                reports.extend(sent);
                if let Some(mut line) = bytes {
                    line.pop();
                    self.requests.push(line);
                    again = true;
                }
            }
            self.board_hears(reports, rules);
        }
    }
}
