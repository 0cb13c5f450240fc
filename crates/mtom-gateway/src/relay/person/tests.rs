use crate::control::{ControlError, Request, Through};
use crate::relay::inbox::Work;
use crate::relay::tests::{Begun, House, message};
use mtom_broker::intake::Delivery;
use mtom_protocol::link::Led;
use mtom_rules::{Effect, Engine, RuleSpec, TimerKind};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

impl Begun {
    fn hear(&mut self, celsius: &str) {
        let message = message("Environ/Temperature", &format!("{celsius} °C"), false);
        let (delivery, _receipt) = Delivery::awaited(message);
        self.relay.turn(&mut Work { batch: vec![delivery], ..Work::default() }).unwrap();
    }

    pub(in crate::relay) fn apply(&mut self, specs: Vec<RuleSpec>) -> Result<u64, ControlError> {
        self.apply_instead_of(specs, None)
    }

    fn apply_instead_of(
        &mut self,
        specs: Vec<RuleSpec>,
        instead_of: Option<u64>,
    ) -> Result<u64, ControlError> {
        let engine = Box::new(Engine::compile(&specs).unwrap());
        let (text, source) = (format!("{specs:?}"), "rules.toml".to_owned());
        let (answer, mut answered) = oneshot::channel();
        let request = Request::Rules { engine, specs, text, source, instead_of, answer };
        self.relay.obey(request).unwrap();
        answered.try_recv().unwrap()
    }

    pub(in crate::relay) fn led(&self) -> Option<Led> {
        self.mailbox.borrow().map(|desired| desired.led)
    }

    /// Who decided what, oldest first, as the ledger has it.
    fn ledger(&self) -> Vec<(String, bool)> {
        let mut rows = self.history.commands(10).unwrap();
        rows.reverse();
        rows.into_iter().map(|row| (row.command.rule, row.command.on)).collect()
    }

    fn rules(&self) -> Vec<String> {
        self.view.snapshot().rules.iter().map(|rule| rule.name.clone()).collect()
    }
}

fn rule(name: &str, on: &str, actuator: &str) -> RuleSpec {
    let (name, on, off) = (name.into(), on.into(), None);
    RuleSpec { name, on, off, dwell: Duration::ZERO, ..RuleSpec::original(actuator) }
}

#[tokio::test]
async fn rules_that_the_journal_refuses_change_nothing_and_are_taken_later() {
    let house = House::new();
    let mut begun = house.begin();
    assert_eq!(begun.apply(vec![rule("warm", "celsius >= 20.0", "TEMP_LED")]), Ok(1));
    begun.hear("22");
    assert_eq!(begun.led(), Some(Led::On));

    // It takes a version and a command, and then not the state that belongs to them.
    let outside = rusqlite::Connection::open(house.journal()).unwrap();
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON rule_state
                  BEGIN SELECT RAISE(ABORT, 'no'); END";
    outside.execute_batch(refuse).unwrap();
    let other = || vec![rule("other", "celsius >= 20.0", "LAMP")];
    let refused = begun.apply(other()).unwrap_err();
    assert!(matches!(refused, ControlError::Disk(_)), "{refused}");
    assert_eq!(begun.history.rule_sets(10).unwrap().len(), 1);
    assert_eq!((begun.rules(), begun.led()), (vec!["warm".to_owned()], Some(Led::On)));
    assert_eq!(begun.ledger(), [("warm".to_owned(), true)]);

    outside.execute_batch("DROP TRIGGER refuse").unwrap();
    begun.hear("19");
    begun.hear("21");
    assert_eq!(begun.led(), Some(Led::On), "the rules that ran go on");
    assert_eq!(begun.apply(other()), Ok(2));
    assert_eq!((begun.rules(), begun.led()), (vec!["other".to_owned()], Some(Led::Off)));
    let ledger: Vec<_> = [true, false, true, false].map(|on| ("warm".to_owned(), on)).into();
    assert_eq!(begun.ledger(), ledger);
    let last = &begun.history.commands(1).unwrap()[0].command;
    assert_eq!(last.cause, "its rule is gone");
    assert_eq!(begun.history.rule_sets(10).unwrap()[0].source, "rules.toml");
}

#[tokio::test]
async fn a_word_that_was_meant_for_earlier_is_not_done() {
    let house = House::new();
    let mut begun = house.begin();
    begun.hear("22");
    let mut set = |until| {
        let (answer, mut answered) = oneshot::channel();
        let by = Some(Through { name: "Home Assistant", until });
        let (actuator, led) = ("TEMP_LED".to_owned(), Some(Led::On));
        begun.relay.obey(Request::Override { actuator, led, until: None, by, answer }).unwrap();
        answered.try_recv().unwrap()
    };
    let now = Instant::now();
    assert_eq!(set(now.checked_sub(Duration::from_secs(1)).unwrap()), Err(ControlError::Late));
    assert_eq!(set(now + Duration::from_secs(60)), Ok(()));
}

#[tokio::test]
async fn a_persons_word_that_the_journal_refuses_is_not_done() {
    let house = House::new();
    let mut begun = house.begin();
    begun.hear("22");
    let outside = rusqlite::Connection::open(house.journal()).unwrap();
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON rule_state
                  BEGIN SELECT RAISE(ABORT, 'no'); END";
    outside.execute_batch(refuse).unwrap();
    let mut set = |led| {
        let (answer, mut answered) = oneshot::channel();
        let actuator = "TEMP_LED".to_owned();
        begun
            .relay
            .obey(Request::Override { actuator, led, until: None, by: None, answer })
            .unwrap();
        answered.try_recv().unwrap()
    };
    assert!(matches!(set(Some(Led::On)), Err(ControlError::Disk(_))));
    outside.execute_batch("DROP TRIGGER refuse").unwrap();
    assert_eq!(set(Some(Led::On)), Ok(()));
    assert_eq!(begun.ledger().last(), Some(&("manual".to_owned(), true)));
}

#[tokio::test]
async fn rules_take_the_place_of_those_that_whoever_brings_them_has_seen() {
    let house = House::new();
    let mut begun = house.begin();
    let warm = || vec![rule("warm", "celsius >= 20.0", "TEMP_LED")];
    let cold = || vec![rule("cold", "celsius < 20.0", "TEMP_LED")];
    assert_eq!(begun.apply(warm()), Ok(1));
    assert_eq!(begun.apply_instead_of(cold(), Some(1)), Ok(2));
    let refused = begun.apply_instead_of(warm(), Some(1)).unwrap_err();
    assert_eq!(refused, ControlError::Changed { version: 2, from: "rules.toml".into() });
    assert_eq!(begun.rules(), ["cold"]);
    assert_eq!(begun.history.rule_sets(10).unwrap().len(), 2);
    assert_eq!(begun.apply_instead_of(warm(), Some(2)), Ok(3));
}

#[tokio::test]
async fn how_the_rules_are_is_told_without_a_word_to_the_disk() {
    let house = House::new();
    let mut begun = house.begin();
    begun.hear("22");
    let standing = |begun: &mut Begun| {
        let (answer, mut answered) = oneshot::channel();
        begun.relay.obey(Request::Standing { answer }).unwrap();
        answered.try_recv().unwrap().unwrap()
    };
    let before = standing(&mut begun);
    assert_eq!((before.totals().off, before.totals().unknown), (1, 0));
    let waits = &before.rules(0, 10)[0].timers[0];
    assert_eq!((waits.kind, waits.effect), (TimerKind::MaxAge, Effect::Led(Led::Off)));
    begun.hear("26");
    assert_eq!(before.totals().on, 0, "a picture does not change");
    let after = standing(&mut begun);
    assert_eq!((after.totals().on, after.rules(0, 10)[0].led), (1, Some(Led::On)));
}
