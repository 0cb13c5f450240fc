//! The actuator over classic Bluetooth: a serial port that BlueZ tells others of (SDP) and takes
//! connections for. On Linux only.
//!
//! The port is registered under a UUID of our own, with a record that says serial port: a bluetoothd
//! takes each UUID once, and a gateway on the same computer asks for serial ports under the usual one.

use std::fmt;
use std::str::FromStr;

/// One of the machine's adapters, which is named as the actuator and made discoverable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SerialProfile(String);

/// No adapter is called so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(target_os = "linux", error("expected an adapter, hci0 and so on"))]
#[cfg_attr(not(target_os = "linux"), error("expected to run on Linux: there is no BlueZ here"))]
pub struct NoAdapter;

impl FromStr for SerialProfile {
    type Err = NoAdapter;

    fn from_str(text: &str) -> Result<Self, NoAdapter> {
        let number = text.strip_prefix("hci").and_then(|digits| digits.parse::<u16>().ok());
        let is_known = cfg!(target_os = "linux") && number.is_some();
        is_known.then(|| Self(text.to_owned())).ok_or(NoAdapter)
    }
}

impl fmt::Display for SerialProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(target_os = "linux")]
mod server {
    use super::SerialProfile;
    use crate::actuator::RETRY;
    use bluer::rfcomm::{Profile, ProfileHandle, Role, Stream};
    use bluer::{Adapter, Session, Uuid};
    use futures_util::StreamExt;
    use std::future::Future;
    use std::time::Duration;
    use tokio::time::sleep;

    /// The channel of the original's port.
    const CHANNEL: u16 = 1;
    const OUR_UUID: Uuid = Uuid::from_u128(0x6d74_6f6d_0000_1000_8000_0080_5f9b_34fb);
    /// Whether the adapter still shows us is looked at this often: a daemon that was started again has
    /// forgotten us without a word.
    const LOOK_EVERY: Duration = Duration::from_secs(1);
    /// Serial port profile, version 1.2, on RFCOMM over L2CAP, in the public browse group.
    const RECORD: &str = r#"<?xml version="1.0" encoding="UTF-8" ?><record>
<attribute id="0x0001"><sequence><uuid value="0x1101"/></sequence></attribute>
<attribute id="0x0004"><sequence><sequence><uuid value="0x0100"/></sequence>
<sequence><uuid value="0x0003"/><uint8 value="0x01"/></sequence></sequence></attribute>
<attribute id="0x0005"><sequence><uuid value="0x1002"/></sequence></attribute>
<attribute id="0x0009"><sequence><sequence><uuid value="0x1101"/><uint16 value="0x0102"/></sequence></sequence></attribute>
<attribute id="0x0100"><text value="ESP32SPP"/></attribute></record>"#;

    impl SerialProfile {
        /// Gives `serve` what connections come, for ever; while the adapter is away it is tried again.
        pub(crate) async fn serve<F: Future<Output = ()>>(
            &self,
            name: &str,
            serve: impl Fn(Port) -> F,
        ) -> ! {
            let mut said = String::new();
            loop {
                let reason = match self.open(name).await {
                    Ok((port, adapter)) => {
                        tracing::info!("{name} is found over classic Bluetooth by {self}");
                        tokio::select! {
                            () = serve(port) => "the port was closed".into(),
                            () = gone(&adapter) => "the adapter shows it no more".into(),
                        }
                    }
                    Err(error) => error.to_string(),
                };
                // An adapter that is away for a day is one line.
                if said != reason {
                    tracing::warn!("no serial port on {self}, tried again: {reason}");
                    said = reason;
                }
                sleep(RETRY).await;
            }
        }

        async fn open(&self, name: &str) -> bluer::Result<(Port, Adapter)> {
            let session = Session::new().await?;
            let adapter = session.adapter(&self.0)?;
            adapter.set_powered(true).await?;
            adapter.set_alias(name.to_owned()).await?;
            adapter.set_discoverable_timeout(0).await?;
            adapter.set_discoverable(true).await?;
            let profile = Profile {
                uuid: OUR_UUID,
                name: Some("ESP32SPP".into()),
                role: Some(Role::Server),
                channel: Some(CHANNEL),
                service_record: Some(RECORD.into()),
                // The original asks for neither.
                require_authentication: Some(false),
                require_authorization: Some(false),
                ..Profile::default()
            };
            Ok((Port(session.register_profile(profile).await?), adapter))
        }
    }

    /// Where connections come in.
    pub(crate) struct Port(ProfileHandle);

    impl Port {
        /// The next connection; `None` when there will be none.
        pub(crate) async fn next(&mut self) -> Option<Stream> {
            loop {
                match self.0.next().await?.accept() {
                    Ok(stream) => return Some(stream),
                    Err(error) => tracing::warn!(%error, "a connection is not taken"),
                }
            }
        }
    }

    async fn gone(adapter: &Adapter) {
        while matches!(adapter.is_discoverable().await, Ok(true)) {
            sleep(LOOK_EVERY).await;
        }
    }
}

#[cfg(target_os = "linux")]
pub(super) use server::Port;

#[cfg(test)]
mod tests;
