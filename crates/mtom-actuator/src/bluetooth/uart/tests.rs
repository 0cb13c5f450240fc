use super::{Uart, Writing};
use std::future::pending;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split};
use tokio::sync::Semaphore;
use tokio::time::Instant;

const WRITE_TIMEOUT: Duration = Duration::from_secs(2);

/// A device that answers a write when it may, and what it was written.
#[derive(Clone)]
struct Device {
    answers: Arc<Semaphore>,
    written: Arc<Mutex<Vec<String>>>,
    /// How many writes were on their way at once, at most.
    at_once: Arc<Mutex<(u32, u32)>>,
}

impl Device {
    fn new(answers: usize) -> Self {
        let answers = Arc::new(Semaphore::new(answers));
        Self { answers, written: Arc::default(), at_once: Arc::default() }
    }

    fn link(&self) -> (Uart<DuplexStream>, DuplexStream) {
        let (notified, notifier) = duplex(64);
        let device = self.clone();
        let write = move |bytes: Vec<u8>| -> Writing {
            let device = device.clone();
            Box::pin(async move {
                let text = String::from_utf8(bytes).unwrap();
                device.written.lock().unwrap().push(text);
                device.count(1);
                device.answers.acquire().await.unwrap().forget();
                device.count(-1);
                Ok(())
            })
        };
        (Uart::new(notified, write, WRITE_TIMEOUT), notifier)
    }

    fn count(&self, change: i32) {
        let (now, most) = &mut *self.at_once.lock().unwrap();
        *now = now.saturating_add_signed(change);
        *most = (*most).max(*now);
    }

    fn written(&self) -> String {
        self.written.lock().unwrap().concat()
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_is_written_and_its_answer_is_read() {
    let device = Device::new(100);
    let (mut uart, mut notifier) = device.link();
    uart.write_all(b"h 42\n").await.unwrap();
    assert_eq!(device.written(), "h 42\n");
    notifier.write_all(b"h 42\n").await.unwrap();
    let mut answer = [0; 5];
    uart.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"h 42\n");
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_into_one_write_goes_in_pieces() {
    let device = Device::new(100);
    let (mut uart, _notifier) = device.link();
    let line = b"c 18446744073709551615\n";
    uart.write_all(line).await.unwrap();
    uart.flush().await.unwrap();
    let pieces = device.written.lock().unwrap().clone();
    assert_eq!(pieces, ["c 184467440737095516", "15\n"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_taken_while_a_write_is_on_its_way() {
    let device = Device::new(0);
    let (mut uart, _notifier) = device.link();
    uart.write_all(b"h 1\n").await.unwrap();
    {
        let mut second = std::pin::pin!(uart.write_all(b"c 2\n"));
        let taken = tokio::time::timeout(Duration::from_secs(1), second.as_mut()).await;
        assert!(taken.is_err(), "{taken:?}");
        assert_eq!(device.written(), "h 1\n");
        device.answers.add_permits(2);
        second.await.unwrap();
    }
    uart.flush().await.unwrap();
    assert_eq!((device.written().as_str(), device.at_once.lock().unwrap().1), ("h 1\nc 2\n", 1));
}

#[tokio::test(start_paused = true)]
async fn a_write_without_an_answer_breaks_the_stream_for_whoever_reads() {
    let device = Device::new(0);
    let (uart, _notifier) = device.link();
    let (mut reader, mut writer) = split(uart);
    let began = Instant::now();
    writer.write_all(b"h 1\n").await.unwrap();
    let cause = reader.read(&mut [0]).await.unwrap_err();
    assert_eq!((cause.kind(), began.elapsed()), (ErrorKind::TimedOut, WRITE_TIMEOUT));
    assert_eq!(cause.to_string(), "the device does not answer a write within 2s");
}

#[tokio::test(start_paused = true)]
async fn a_refused_write_breaks_the_stream_at_once() {
    let refuse = |_| -> Writing { Box::pin(async { Err(ErrorKind::NotConnected.into()) }) };
    let mut uart = Uart::new(duplex(1).0, refuse, WRITE_TIMEOUT);
    assert_eq!(uart.write(b"h").await.unwrap_err().kind(), ErrorKind::NotConnected);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_notifications_is_the_end_of_the_stream() {
    let forever = |_| -> Writing { Box::pin(pending::<io::Result<()>>()) };
    let (notified, notifier) = duplex(1);
    let mut uart = Uart::new(notified, forever, WRITE_TIMEOUT);
    drop(notifier);
    assert_eq!(uart.read(&mut [0]).await.unwrap(), 0);
}
