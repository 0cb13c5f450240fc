//! The radio as a network: joins it for ever, and opens streams to the broker through it.

use core::fmt;
use embassy_futures::select::select;
use embassy_net::dns::DnsQueryType;
use embassy_net::tcp::{ConnectError, TcpSocket};
use embassy_net::{IpAddress, Stack};
use embassy_time::{Duration, Timer, with_timeout};
use esp_radio::wifi::sta::StationConfig;
use esp_radio::wifi::{
    AuthenticationMethodConfig, Config, ConnectionError, DisconnectReason, WifiController,
    WifiError,
};
use log::{info, warn};
use mtom_device::backoff::Backoff;
use mtom_device::sensor::Connector;
use mtom_device::settings::Settings;

const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);
/// How long a stream may take to open once there is a network; shorter than `mtom-device` waits,
/// so that the log says what it waited for.
const NETWORK_MAX: Duration = Duration::from_secs(14);
/// A broker that has not acknowledged a byte for this long is gone.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Joins the network, and joins it again whenever it is lost.
pub async fn stay_joined(
    mut radio: WifiController<'_>,
    stack: Stack<'_>,
    settings: &Settings,
    mut random: impl FnMut() -> u32,
) -> ! {
    let ssid = &settings.wifi_ssid;
    let mut backoff = Backoff::new(RETRY_MIN, RETRY_MAX);
    loop {
        info!("connecting to WiFi {ssid}");
        match connect(&mut radio, settings).await {
            Ok(()) => {
                info!("WiFi connected");
                backoff.reset();
                select(show_address(stack), radio.wait_for_disconnect_async()).await;
                warn!("WiFi lost");
            }
            Err(reason) => warn!("no WiFi {ssid}: {reason}"),
        }
        Timer::after(backoff.next_delay(random())).await;
    }
}

async fn connect(radio: &mut WifiController<'_>, settings: &Settings) -> Result<(), NoWifi> {
    radio.set_config(&station(settings)?)?;
    radio.connect_async().await?;
    Ok(())
}

/// The network of `settings`, as the radio wants it.
fn station(settings: &Settings) -> Result<Config, WifiError> {
    let password = settings.wifi_password.as_str();
    let authentication = if password.is_empty() {
        AuthenticationMethodConfig::Open
    } else {
        AuthenticationMethodConfig::Wpa2Personal(password.try_into()?)
    };
    let station = StationConfig::default()
        .with_ssid(settings.wifi_ssid.as_str().try_into()?)
        .with_authentication(authentication);
    Ok(Config::Station(station))
}

/// Why the radio has not joined.
#[derive(Debug)]
enum NoWifi {
    /// It does not take the settings, or has failed.
    Radio(WifiError),
    /// The network does not take it.
    Network(DisconnectReason),
}

impl From<WifiError> for NoWifi {
    fn from(error: WifiError) -> Self {
        Self::Radio(error)
    }
}

impl From<ConnectionError> for NoWifi {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::Failed(info) => Self::Network(info.reason),
            ConnectionError::WifiError(error) => Self::Radio(error),
            // The enum may grow; nothing of it is another fault of the radio.
            _ => Self::Network(DisconnectReason::Unspecified),
        }
    }
}

impl fmt::Display for NoWifi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Radio(error) => write!(f, "the radio fails: {error}"),
            Self::Network(
                DisconnectReason::NoAccessPointFound
                | DisconnectReason::NoAccessPointFoundInRssiThreshold,
            ) => f.write_str("no such network within reach at 2.4 GHz"),
            Self::Network(
                DisconnectReason::FourWayHandshakeTimeout
                | DisconnectReason::HandshakeTimeout
                | DisconnectReason::AuthenticationFailed
                | DisconnectReason::AuthenticationExpired,
            ) => f.write_str("the network does not take the password"),
            Self::Network(
                DisconnectReason::NoAccessPointFoundInAuthmodeThreshold
                | DisconnectReason::NoAccessPointFoundWithCompatibleSecurity,
            ) => f.write_str("the network is not protected by WPA2"),
            Self::Network(reason) => write!(f, "{reason:?}"),
        }
    }
}

async fn show_address(stack: Stack<'_>) -> ! {
    loop {
        stack.wait_config_up().await;
        if let Some(config) = stack.config_v4() {
            info!("IP address: {}", config.address.address());
        }
        stack.wait_config_down().await;
    }
}

/// Opens TCP connections to the broker.
pub struct Broker<'a> {
    stack: Stack<'a>,
    host: &'a str,
    port: u16,
    rx: [u8; 1024],
    tx: [u8; 1024],
}

impl<'a> Broker<'a> {
    /// The broker of `settings`, through `stack`.
    #[must_use]
    pub fn new(stack: Stack<'a>, settings: &'a Settings) -> Self {
        let (host, port) = (settings.broker_host.as_str(), settings.broker_port);
        Self { stack, host, port, rx: [0; 1024], tx: [0; 1024] }
    }
}

impl Connector for Broker<'_> {
    type Io<'a>
        = TcpSocket<'a>
    where
        Self: 'a;
    type Error = Unreachable;

    async fn ready(&mut self) {
        self.stack.wait_config_up().await;
    }

    async fn connect(&mut self) -> Result<TcpSocket<'_>, Unreachable> {
        let network = with_timeout(NETWORK_MAX, self.stack.wait_config_up()).await;
        network.map_err(|_| Unreachable::NoNetwork)?;
        let address = address_of(self.stack, self.host).await.ok_or(Unreachable::NoName)?;
        let mut socket = TcpSocket::new(self.stack, &mut self.rx, &mut self.tx);
        socket.set_timeout(Some(SILENCE_MAX));
        // Each write is a whole packet: waiting for more only makes it late.
        socket.set_nagle_enabled(false);
        socket.connect((address, self.port)).await.map_err(Unreachable::Tcp)?;
        Ok(socket)
    }
}

/// The address of `host`, which may be one already.
pub async fn address_of(stack: Stack<'_>, host: &str) -> Option<IpAddress> {
    stack.dns_query(host, DnsQueryType::A).await.ok()?.first().copied()
}

/// Why there is no stream to the broker.
#[derive(Clone, Copy, Debug)]
pub enum Unreachable {
    /// The radio has not joined, or was given no address.
    NoNetwork,
    /// The network's name server does not know it.
    NoName,
    /// The broker's computer said no, or nothing.
    Tcp(ConnectError),
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoNetwork => "no network yet",
            Self::NoName => "nobody knows the broker's name",
            Self::Tcp(ConnectError::ConnectionReset) => "nothing listens on that port",
            Self::Tcp(ConnectError::TimedOut) => "no answer from that address",
            Self::Tcp(ConnectError::NoRoute | ConnectError::InvalidState) => "no way there",
        })
    }
}
