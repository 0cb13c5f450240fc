//! The actuator's link over Bluetooth LE: the Nordic UART Service (`wire.md` §2).
//!
//! Found under the actuator's name and by the service's UUID. What a central writes to RX are bytes
//! of the link as on any other, with or without a response; answers are notified on TX, in pieces of
//! what the connection carries. One central at a time; the next one finds it when that one is gone.
//! Without `pairing_seconds` in its settings whoever is in reach can switch the light, as with the original; with it
//! only whom it was paired with (`pairing`).
//!
//! What surprises: a write without a response has no promise. Of many at once some are dropped, and
//! so may be one that is followed by the end of the connection.
//!
//! Runs on any controller that speaks HCI, and as often in a process as one likes: nothing is static
//! but the pool of packets.

mod advertising;
mod fair;
mod pairing;

pub use advertising::Radio;

use crate::actuator::Served;
use crate::flash::BONDS_MAX;
use advertising::Commands;
use core::convert::Infallible;
use core::pin::pin;
use embassy_futures::select::{Either, Either3, select, select3};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::pipe::Pipe;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Timer};
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use fair::Fair;
use heapless::Vec;
use pairing::{Door, Turn, Unwanted, Visit};
use trouble_host::att::AttClient;
use trouble_host::prelude::{
    Address, AttErrorCode, AttributeServer, AttributeTable, BleHostError, Characteristic,
    CharacteristicProp, DefaultPacketPool, Error, GapConfig, GattConnection, GattConnectionEvent,
    GattEvent, HostResources, Peripheral, PeripheralConfig, PermissionLevel, Reply, Service, Uuid,
    WriteEvent, appearance,
};

/// The Nordic UART Service.
pub const SERVICE: u128 = 0x6e40_0001_b5a3_f393_e0a9_e50e_24dc_ca9e;
/// Its characteristic that a central writes.
pub const RX: u128 = 0x6e40_0002_b5a3_f393_e0a9_e50e_24dc_ca9e;
/// Its characteristic that notifies.
pub const TX: u128 = 0x6e40_0003_b5a3_f393_e0a9_e50e_24dc_ca9e;

const CONNECTIONS_MAX: usize = 1;
const CHANNELS_MAX: usize = 1;
/// GAP and GATT, the service, RX with its declaration, TX with its own and its subscription.
const ATTRIBUTES: usize = trouble_host::gap::GAP_SERVICE_ATTRIBUTE_COUNT + 6;
/// The longest single write. Longer than what a packet of the pool carries.
const WRITE_LEN_MAX: usize = 256;
/// What a notification leaves of the ATT MTU [Core 5.4, Vol 3, Part F, 3.4.7.1].
const NOTIFICATION_HEADER_LEN: usize = 3;
/// An advertisement without extensions [Core 5.4, Vol 6, Part B, 2.3.1.1].
const ADVERTISEMENT_LEN: usize = 31;
/// Before the controller is asked again for what it has refused, or for memory.
const RETRY: Duration = Duration::from_millis(500);
const MEMORY_WAIT: Duration = Duration::from_millis(10);
/// One that it was paired with encrypts its connection within this.
const ENCRYPTION_WAIT: Duration = Duration::from_secs(10);
/// A stranger is let go of after this, in which it can neither say nor hear anything: Linux 6.1, whose
/// connection is cut while it is made, reads memory that it has given back.
const STRANGER_WAIT: Duration = Duration::from_secs(2);

type Value = Vec<u8, 20>;
type Server<'a> = AttributeServer<'a, NoopRawMutex, DefaultPacketPool, ATTRIBUTES, CONNECTIONS_MAX>;
/// What the central has written and nobody has read.
type Written = Pipe<NoopRawMutex, WRITE_LEN_MAX>;
type Connection<'a, 's> = GattConnection<'a, 's, DefaultPacketPool>;
type Event<'a, 's> = GattConnectionEvent<'a, 's, DefaultPacketPool>;
/// With room for one bond more than is kept: the new one is there before the oldest goes.
type Resources =
    HostResources<DefaultPacketPool, CONNECTIONS_MAX, CHANNELS_MAX, 1, { BONDS_MAX + 1 }>;

/// Serves centrals, one after the other, until the controller fails.
///
/// `address` is a random static one; without it the controller's own is used. A controller that tells
/// others of an advertiser only when it begins to advertise, as virtual ones do, is made to begin again
/// each time `renew` has passed.
pub async fn run<C: Radio>(
    controller: C,
    address: Option<Address>,
    renew: Option<Duration>,
    actuator: &impl Served,
) -> BleHostError<C::Error> {
    let mut resources = Resources::new();
    let mut builder = trouble_host::new(Fair(controller), &mut resources);
    if let Some(address) = address {
        builder = builder.set_random_address(address);
    }
    let stack = builder.build();
    let (mut runner, mut peripheral) = (stack.runner(), stack.peripheral());
    let host = async {
        loop {
            if let Err(error) = runner.run().await {
                break error;
            }
        }
    };
    let door = Door { stack: &stack, actuator };
    door.open().await;
    let uart = match Uart::new(actuator.name(), actuator.pairing().is_some()) {
        Ok(uart) => uart,
        Err(error) => return error.into(),
    };
    let centrals = async {
        let mut commands = Commands::Extended;
        loop {
            let name = actuator.name();
            match accept(&mut peripheral, &uart.server, name, renew, &mut commands).await {
                Ok(None) => {}
                Ok(Some(connection)) => {
                    log::info!("a central is connected");
                    match door.admit(&connection) {
                        Ok(visit) => uart.serve(&connection, &door, visit).await,
                        Err(Unwanted) => end(&connection).await,
                    }
                    log::info!("the central is gone");
                }
                Err(error) => {
                    log::warn!("cannot advertise: {error:?}");
                    Timer::after(RETRY).await;
                }
            }
        }
    };
    match select(host, centrals).await {
        Either::First(error) => error,
        Either::Second(never) => never,
    }
}

/// Advertises until a central connects, or until `renew` has passed.
async fn accept<'a, 's, C: Radio>(
    peripheral: &mut Peripheral<'a, C, DefaultPacketPool>,
    server: &'s Server<'_>,
    name: &str,
    renew: Option<Duration>,
    commands: &mut Commands,
) -> Result<Option<Connection<'a, 's>>, BleHostError<C::Error>> {
    // It may have come between two advertisements.
    let mut connection = peripheral.try_accept();
    if connection.is_none() {
        let advertiser = advertising::begin(peripheral, name, commands).await?;
        let due = async {
            match renew {
                Some(renew) => Timer::after(renew).await,
                None => core::future::pending().await,
            }
        };
        connection = match select(advertiser.accept(), due).await {
            Either::First(connection) => Some(connection?),
            Either::Second(()) => None,
        };
    }
    connection
        .map(|connection| connection.with_attribute_server(server))
        .transpose()
        .map_err(Into::into)
}

/// The service and where its characteristics stand.
struct Uart<'a> {
    server: Server<'a>,
    rx: u16,
    tx: Characteristic<Value>,
}

impl<'a> Uart<'a> {
    /// With `is_paired` only an encrypted connection can be written to and heard.
    fn new(name: &'a str, is_paired: bool) -> Result<Self, Error> {
        let needed = if is_paired {
            PermissionLevel::AuthenticationRequired
        } else {
            PermissionLevel::Allowed
        };
        let mut table = AttributeTable::new();
        let gap = PeripheralConfig { name, appearance: &appearance::UNKNOWN };
        GapConfig::Peripheral(gap).build(&mut table).map_err(|_| Error::InvalidValue)?;
        let mut service = table.add_service(Service::new(uuid(SERVICE)));
        let rx_props = [CharacteristicProp::Write, CharacteristicProp::WriteWithoutResponse];
        let rx = service.add_characteristic_small(uuid(RX), rx_props, Value::new());
        let rx = rx.write_permission(needed).build();
        let tx_props = [CharacteristicProp::Notify];
        let tx = service.add_characteristic_small(uuid(TX), tx_props, Value::new());
        let tx = tx.cccd_permission(needed).build();
        Ok(Self { server: AttributeServer::new(table), rx: rx.handle, tx })
    }

    /// Serves one central until it is gone.
    async fn serve<C: Radio>(
        &self,
        connection: &Connection<'_, '_>,
        door: &Door<'_, '_, C, impl Served>,
        visit: Visit,
    ) {
        // Full: see `take`.
        let pipe = Written::new();
        let gone = Signal::new();
        let written = Until { pipe: &pipe, gone: &gone };
        let notified = Notified { connection, tx: &self.tx };
        let mut link = pin!(door.actuator.serve(written, notified));
        match select(link.as_mut(), self.pump(connection, &pipe, door, visit)).await {
            Either::First(_) => end(connection).await,
            Either::Second(()) => {
                // A bare byte that was written just before counts.
                gone.signal(());
                link.await;
            }
        }
    }

    /// Passes on what the central writes, and answers everything else that it asks, until it is gone.
    async fn pump<C: Radio>(
        &self,
        connection: &Connection<'_, '_>,
        pipe: &Written,
        door: &Door<'_, '_, C, impl Served>,
        mut visit: Visit,
    ) {
        let mut person = pin!(None);
        loop {
            let due = async {
                match visit.until {
                    Some(until) => Timer::at(until).await,
                    None => core::future::pending().await,
                }
            };
            let said = async {
                match person.as_mut().as_pin_mut() {
                    Some(is_same) => is_same.await,
                    None => core::future::pending().await,
                }
            };
            let event = match select3(connection.next(), said, due).await {
                Either3::First(event) => event,
                Either3::Second(is_same) => {
                    person.set(None);
                    pairing::tell(connection, is_same);
                    continue;
                }
                Either3::Third(()) => return end(connection).await,
            };
            match door.saw(&mut visit, &event).await {
                Ok(Turn::GoOn) => {}
                Ok(Turn::Ask) => person.set(Some(door.actuator.is_same())),
                Ok(Turn::AskNoMore) => person.set(None),
                Err(Unwanted) => return end(connection).await,
            }
            let event = match event {
                GattConnectionEvent::Disconnected { .. } => return,
                GattConnectionEvent::Gatt { event } => event,
                _ => continue,
            };
            let reply = match event {
                GattEvent::Write(write) if write.handle() == self.rx => take(write, pipe).await,
                event => event.accept(),
            };
            match reply {
                Ok(reply) => reply.send().await,
                Err(error) => log::warn!("no answer to a central: {error:?}"),
            }
        }
    }
}

/// Lets go of the central, and waits until it is gone.
async fn end(connection: &Connection<'_, '_>) {
    connection.raw().disconnect();
    while !matches!(connection.next().await, GattConnectionEvent::Disconnected { .. }) {}
}

fn uuid(number: u128) -> Uuid {
    Uuid::new_long(number.to_le_bytes())
}

/// Takes a write. When there is no room one with a response waits, and one without is dropped: it
/// must not keep requests waiting, whose central would give up.
async fn take<'a>(
    write: WriteEvent<'a, '_, DefaultPacketPool>,
    pipe: &Written,
) -> Result<Reply<'a, DefaultPacketPool>, Error> {
    let bytes: Option<Vec<u8, WRITE_LEN_MAX>> =
        write.with_data(|_, data| Vec::from_slice(data).ok());
    let Some(bytes) = bytes else {
        return write.reject(AttErrorCode::INVALID_ATTRIBUTE_VALUE_LENGTH);
    };
    let has_response = matches!(write.payload().incoming(), AttClient::Request(_));
    if has_response || pipe.free_capacity() >= bytes.len() {
        pipe.write_all(&bytes).await;
    }
    write.accept_unprocessed()
}

/// What the central has written; ends when it is gone and everything is read.
struct Until<'a> {
    pipe: &'a Written,
    gone: &'a Signal<NoopRawMutex, ()>,
}

impl ErrorType for Until<'_> {
    type Error = Infallible;
}

impl Read for Until<'_> {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Infallible> {
        match select(self.pipe.read(bytes), self.gone.wait()).await {
            Either::First(len) => Ok(len),
            Either::Second(()) => Ok(0),
        }
    }
}

/// What is notified to the central, if it wants to hear it.
struct Notified<'a, 'c, 's> {
    connection: &'a Connection<'c, 's>,
    tx: &'a Characteristic<Value>,
}

impl ErrorType for Notified<'_, '_, '_> {
    type Error = ErrorKind;
}

impl Write for Notified<'_, '_, '_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        let mtu = usize::from(self.connection.raw().att_mtu());
        let len = bytes.len().min(mtu.saturating_sub(NOTIFICATION_HEADER_LEN));
        let piece = bytes.get(..len).unwrap_or_default();
        loop {
            match self.tx.notify_raw(self.connection, piece, false).await {
                Ok(()) => return Ok(len),
                Err(Error::OutOfMemory) => Timer::after(MEMORY_WAIT).await,
                Err(_) => return Err(ErrorKind::BrokenPipe),
            }
        }
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}
