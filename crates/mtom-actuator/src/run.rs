//! The life of one link: connect, talk, break, wait, again.

use crate::backoff::Backoff;
use crate::mqtt;
use crate::opener::{Opener, Stream};
use crate::pump::{End, pump};
use crate::report::{Clock, Desired, LinkState, Report};
use crate::session::{Memory, Session, Voice};
use crate::settings::Settings;
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
    let voice = Voice { report: &report, clock: &clock };
    let mut opener = match Opener::new(&settings) {
        Ok(opener) => opener,
        Err(switch) => {
            mqtt::run(&settings, switch, &mut desired, &voice, &stop).await;
            return voice.link(LinkState::Away, "stopped".into());
        }
    };
    let mut remembered = settings.remembered.clone();
    let mut backoff = Backoff::new(settings.backoff_min, settings.backoff_max, Backoff::seed());
    let mut memory = Memory::default();
    loop {
        let say = |state, reason| voice.link(state, reason);
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
                let began = Instant::now();
                voice.link(LinkState::Up, String::new());
                let session = Session::new(&settings, &voice, &mut memory, began);
                let (stream, end) = talk(stream, session, &mut desired, &settings, &stop).await;
                match end {
                    End::Stopped => {
                        opener.finish(stream).await;
                        break;
                    }
                    End::Broken(reason) => {
                        voice.link(LinkState::Broken, format!("{}: {reason}", settings.link));
                        opener.abort(stream).await;
                    }
                }
                backoff.held(began.elapsed());
            }
            Err(reason) => voice.link(LinkState::Away, format!("{}: {reason}", settings.link)),
        }
        let pause = backoff.pause();
        tracing::debug!(actuator = settings.name, ?pause, "link is down");
        tokio::select! {
            () = stop.cancelled() => break,
            () = sleep(pause) => {}
        }
    }
    opener.leave().await;
    voice.link(LinkState::Away, "stopped".into());
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
