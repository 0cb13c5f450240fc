//! The wire between the gateway and its broker: it is cut on request, and it sees what was delivered and what was
//! acknowledged, so that a loss can be laid at the right door.

use crate::packets::{self, Packet};
use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

/// What went over the wire.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Numbers that the broker sent.
    pub(crate) delivered: BTreeSet<u64>,
    /// Numbers that the gateway acknowledged.
    pub(crate) acknowledged: BTreeSet<u64>,
    /// How many readings came more than once.
    pub(crate) delivered_again: u64,
    /// How many acknowledgements there were.
    pub(crate) acknowledgements: u64,
    /// Delivered on a connection that is still there, and not acknowledged.
    pub(crate) under_way: usize,
}

pub(crate) struct Link {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    acknowledgements: watch::Receiver<u64>,
    /// The highest number that the gateway has acknowledged.
    pub(crate) highest: watch::Receiver<u64>,
    cut: Arc<Cut>,
    _tasks: JoinSet<()>,
}

/// Cuts the connection that next carries a reading, in the middle of it.
#[derive(Default)]
struct Cut {
    is_wanted: Mutex<bool>,
    done: Notify,
    /// Ends every connection, whatever it carries.
    now: Notify,
}

/// A bug that is planted on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Planted {
    Nothing,
    /// Every reading whose number this divides is acknowledged before it is handed on, and the connection ends then,
    /// as if the gateway acknowledged before its commit and was killed.
    EarlyAcknowledgement(u64),
}

impl Link {
    pub(crate) async fn to(broker: SocketAddr, planted: Planted) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (told, acknowledgements) = watch::channel(0);
        let (rising, highest) = watch::channel(0);
        let cut = Arc::new(Cut::default());
        let mut tasks = JoinSet::new();
        let (all, scissors) = (Arc::clone(&seen), Arc::clone(&cut));
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((gateway, _)) = listener.accept().await {
                let wire = Wire {
                    seen: Arc::clone(&all),
                    told: told.clone(),
                    rising: rising.clone(),
                    cut: Arc::clone(&scissors),
                    planted,
                    ids: HashMap::new(),
                };
                connections.spawn(async move {
                    // The end of either side ends the connection.
                    let _ = wire.carry(gateway, broker).await;
                });
            }
        });
        Self { address, seen, acknowledgements, highest, cut, _tasks: tasks }
    }

    /// Ends once a connection was cut in the middle of a reading.
    pub(crate) async fn cut(&self) {
        let done = self.cut.done.notified();
        *self.cut.is_wanted.lock().unwrap() = true;
        done.await;
    }

    /// Cuts whatever connection there is, at once.
    pub(crate) fn cut_now(&self) {
        self.cut.now.notify_waiters();
    }

    /// Ends when the gateway has acknowledged so many readings more.
    pub(crate) async fn flows(&self, more: u64) {
        let mut acknowledgements = self.acknowledgements.clone();
        let enough = *acknowledgements.borrow() + more;
        acknowledgements.wait_for(|count| *count >= enough).await.unwrap();
    }

    /// Ends when the gateway has acknowledged all `numbers`.
    pub(crate) async fn has_all(&self, numbers: &BTreeSet<u64>) {
        self.when(|seen| numbers.is_subset(&seen.acknowledged)).await;
    }

    /// Ends when the gateway has acknowledged what is under way, and `number`, which comes last.
    pub(crate) async fn is_through(&self, number: u64) {
        self.when(|seen| seen.acknowledged.contains(&number) && seen.under_way == 0).await;
    }

    async fn when(&self, so: impl Fn(&Seen) -> bool) {
        let mut acknowledgements = self.acknowledgements.clone();
        let is_so = |_: &u64| so(&self.seen.lock().unwrap());
        acknowledgements.wait_for(is_so).await.unwrap();
    }

    pub(crate) fn seen(self) -> Seen {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

/// One connection.
struct Wire {
    seen: Arc<Mutex<Seen>>,
    told: watch::Sender<u64>,
    rising: watch::Sender<u64>,
    cut: Arc<Cut>,
    planted: Planted,
    /// Which number was delivered under which packet id.
    ids: HashMap<u16, u64>,
}

impl Wire {
    async fn carry(mut self, mut gateway: TcpStream, broker: SocketAddr) -> std::io::Result<()> {
        let mut broker = TcpStream::connect(broker).await?;
        gateway.set_nodelay(true)?;
        broker.set_nodelay(true)?;
        let (mut from_broker, mut from_gateway) = (Vec::new(), Vec::new());
        let cut = Arc::clone(&self.cut);
        let now = cut.now.notified();
        tokio::pin!(now);
        loop {
            tokio::select! {
                () = &mut now => return Ok(()),
                count = broker.read_buf(&mut from_broker) => {
                    if count? == 0 {
                        return Ok(());
                    }
                    while let Some((packet, len)) = packets::next(&from_broker) {
                        let bytes: Vec<_> = from_broker.drain(..len).collect();
                        if let Packet::Reading { id, number } = packet {
                            if self.is_planted(number) {
                                broker.write_all(&[0x40, 2, bytes_of(id)[0], bytes_of(id)[1]]).await?;
                                self.acknowledged(number);
                                // In good order, or the acknowledgement may be lost with it.
                                broker.shutdown().await?;
                                while broker.read_buf(&mut from_broker).await? > 0 {}
                                return Ok(());
                            }
                            if self.is_cut() {
                                gateway.write_all(&bytes[..len / 2]).await?;
                                self.cut.done.notify_waiters();
                                return Ok(());
                            }
                            let was = self.ids.insert(id, number);
                            let mut seen = self.seen.lock().unwrap();
                            seen.under_way += usize::from(was.is_none());
                            seen.delivered_again += u64::from(!seen.delivered.insert(number));
                        }
                        gateway.write_all(&bytes).await?;
                    }
                }
                count = gateway.read_buf(&mut from_gateway) => {
                    if count? == 0 {
                        return Ok(());
                    }
                    while let Some((packet, len)) = packets::next(&from_gateway) {
                        let bytes: Vec<_> = from_gateway.drain(..len).collect();
                        broker.write_all(&bytes).await?;
                        if let Packet::Acknowledgement { id } = packet
                            && let Some(number) = self.ids.remove(&id)
                        {
                            self.seen.lock().unwrap().under_way -= 1;
                            self.acknowledged(number);
                        }
                    }
                }
            }
        }
    }

    fn is_planted(&self, number: u64) -> bool {
        match self.planted {
            Planted::Nothing => false,
            Planted::EarlyAcknowledgement(every) => {
                number.is_multiple_of(every)
                    && !self.seen.lock().unwrap().acknowledged.contains(&number)
            }
        }
    }

    fn is_cut(&self) -> bool {
        std::mem::take(&mut *self.cut.is_wanted.lock().unwrap())
    }

    fn acknowledged(&self, number: u64) {
        let mut seen = self.seen.lock().unwrap();
        seen.acknowledged.insert(number);
        seen.acknowledgements += 1;
        let count = seen.acknowledgements;
        // Whoever hears it looks into what was seen.
        drop(seen);
        self.told.send_replace(count);
        self.rising.send_if_modified(|highest| {
            let is_higher = number > *highest;
            *highest = number.max(*highest);
            is_higher
        });
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if let Ok(mut seen) = self.seen.lock() {
            seen.under_way -= self.ids.len();
        }
    }
}

fn bytes_of(id: u16) -> [u8; 2] {
    id.to_be_bytes()
}
