//! The life of one link: connect, talk, break, wait, again.

use crate::backoff::Backoff;
use crate::mqtt;
use crate::opener::{Opener, Stream};
use crate::pump::{End, pump};
use crate::report::{Clock, Desired, LinkState, Report, Trust, Version};
use crate::session::{Memory, Session, Voice};
use crate::settings::{Protocol, Settings};
use mtom_protocol::link::keyed::{NONCE_LEN, Nonce};
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Brings the newest of `desired` to the device until `stop`; what happens goes to `report`, which
/// must not block.
///
/// Never ends by itself: a device that is away is tried again, at first after `backoff_min`. After
/// `stop` the newest state is written once more if it has not left yet and the link takes it.
pub async fn run(
    settings: Settings,
    mut desired: watch::Receiver<Option<Desired>>,
    report: impl Fn(Report) + Send + Sync,
    clock: Clock,
    stop: CancellationToken,
) {
    let voice = Voice { report: &report, clock: &clock, draw };
    match Opener::new(&settings) {
        Ok(opener) => drive(opener, &settings, &mut desired, &voice, &stop).await,
        Err(switch) => mqtt::run(&settings, switch, &mut desired, &voice, &stop).await,
    }
    voice.link(LinkState::Away, "stopped".into());
}

/// Opens the link and talks over it, again and again.
pub(crate) async fn drive(
    mut opener: Opener,
    settings: &Settings,
    desired: &mut watch::Receiver<Option<Desired>>,
    voice: &Voice<'_>,
    stop: &CancellationToken,
) {
    let mut remembered = settings.remembered.clone();
    let mut backoff = Backoff::new(settings.backoff_min, settings.backoff_max, Backoff::seed());
    let mut memory = Memory::default();
    // Silence alone would make an original device of one that hangs.
    let mut settings = settings.clone();
    let mut why = String::new();
    loop {
        // A search that goes on for hours still says why.
        let say = |state| voice.link(state, why.clone());
        let opened = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            opened = opener.open(&say) => opened,
        };
        if opener.remembered() != remembered.as_ref() {
            remembered = opener.remembered().cloned();
            if let Some(id) = remembered.clone() {
                (voice.report)(Report::Found { id });
            }
        }
        match opened {
            Ok(stream) => {
                let (began, ear) = (Instant::now(), Ear::new(voice));
                let report = |report| ear.hear(report);
                let heard = Voice { report: &report, ..*voice };
                let session = Session::new(&settings, &heard, &mut memory, began);
                let (stream, end) = talk(stream, session, desired, &settings, stop).await;
                let lasted = began.elapsed();
                let is_refused = matches!(end, End::Refused(_));
                match end {
                    End::Stopped => {
                        opener.finish(stream).await;
                        break;
                    }
                    End::Broken(reason) | End::Refused(reason) => {
                        why = format!("{}: {reason}", settings.link);
                        voice.link(LinkState::Broken, why.clone());
                        opener.abort(stream).await;
                    }
                }
                if ear.has_answered() && settings.protocol == Protocol::Auto {
                    settings.protocol = Protocol::Second;
                }
                // A stack that connects to nobody does so at once, and would be asked to for ever.
                let was_useful = ear.has_heard() || lasted >= settings.proven_after();
                opener.judge(was_useful);
                if is_refused {
                    backoff.refused();
                } else if was_useful {
                    backoff.held(lasted);
                }
            }
            Err(reason) => {
                why = format!("{}: {reason}", settings.link);
                voice.link(LinkState::Away, why.clone());
            }
        }
        let pause = backoff.pause();
        tracing::debug!(actuator = settings.name, ?pause, "link is down");
        tokio::select! {
            () = stop.cancelled() => break,
            () = sleep(pause) => {}
        }
    }
    opener.leave().await;
}

/// Hears what is reported of one connection, and says that the link is up when there is a device at its
/// other end: one that has answered, or one that is known never to answer.
struct Ear<'a> {
    voice: &'a Voice<'a>,
    is_up: AtomicBool,
    has_heard: AtomicBool,
    has_answered: AtomicBool,
}

impl<'a> Ear<'a> {
    fn new(voice: &'a Voice<'a>) -> Self {
        let no = || AtomicBool::new(false);
        Self { voice, is_up: no(), has_heard: no(), has_answered: no() }
    }

    fn hear(&self, report: Report) {
        let is_answer = match report {
            // Somebody is there, whoever it is.
            Report::Noise { .. } | Report::Forged { .. } => {
                self.has_heard.store(true, Ordering::Relaxed);
                false
            }
            Report::Link { .. } | Report::Found { .. } | Report::Sent { .. } => false,
            Report::Trusted { trust } => trust == Trust::Authenticated,
            Report::Identified { version: Version::Original } => {
                self.rise();
                false
            }
            Report::Identified { version: Version::Second { .. } }
            | Report::Applied { .. }
            | Report::State { .. }
            | Report::Drifted { .. }
            | Report::Refused { .. }
            | Report::Ahead { .. } => true,
        };
        if is_answer {
            self.has_heard.store(true, Ordering::Relaxed);
            self.has_answered.store(true, Ordering::Relaxed);
            self.rise();
        }
        (self.voice.report)(report);
    }

    fn rise(&self) {
        if !self.is_up.swap(true, Ordering::Relaxed) {
            self.voice.link(LinkState::Up, String::new());
        }
    }

    fn has_heard(&self) -> bool {
        self.has_heard.load(Ordering::Relaxed)
    }

    fn has_answered(&self) -> bool {
        self.has_answered.load(Ordering::Relaxed)
    }
}

/// The system's random numbers.
fn draw() -> Option<Nonce> {
    let mut nonce = [0; NONCE_LEN];
    getrandom::fill(&mut nonce).ok()?;
    Some(Nonce(nonce))
}

async fn talk(
    stream: Stream,
    mut session: Session<'_>,
    desired: &mut watch::Receiver<Option<Desired>>,
    settings: &Settings,
    stop: &CancellationToken,
) -> (Stream, End) {
    let limit = settings.write_timeout;
    match stream {
        Stream::Tcp(tcp) => {
            let (tcp, end) = pump(tcp, &mut session, desired, limit, stop).await;
            (Stream::Tcp(tcp), end)
        }
        Stream::Serial(serial) => {
            let (serial, end) = pump(serial, &mut session, desired, limit, stop).await;
            (Stream::Serial(serial), end)
        }
        Stream::Bluetooth(stream) => {
            let (stream, end) = pump(stream, &mut session, desired, limit, stop).await;
            (Stream::Bluetooth(stream), end)
        }
    }
}

impl Voice<'_> {
    pub(crate) fn link(&self, state: LinkState, reason: String) {
        (self.report)(Report::Link { state, reason });
    }
}

#[cfg(test)]
mod tests;
