//! Those who take a long text slowly, and those who take nothing of it.

use super::Still;
use super::silence::{pass, raw_frame, served};
use crate::live::socket::{FRAME_LEN_MAX, Fault, Socket};
use crate::testing::{LIMIT, soon};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

const STALL: Duration = Duration::from_secs(15);
/// Of the text: more than all that the buffers hold.
const LEN: usize = 4 * 1024 * 1024;

/// One to whom a long text is said, which may wait so long, and what becomes of it.
async fn told(stall: Duration) -> (TcpStream, mpsc::Receiver<Result<(), Fault>>, JoinSet<()>) {
    let (ended, end) = mpsc::channel(1);
    let (tcp, served) = served(move |mut socket: Socket| {
        let ended = ended.clone();
        async move {
            let sent = socket.send(Message::text("\u{20ac}".repeat(LEN / 3)), stall).await;
            ended.send(sent).await.unwrap();
        }
    })
    .await;
    (tcp, end, served)
}

/// It takes minutes, and no step of it as long as a stall; it answers nothing, and no answer is needed.
#[tokio::test]
async fn one_who_reads_slowly_gets_all_of_a_long_text_in_bounded_frames() {
    let (mut tcp, mut end, mut served) = told(STALL).await;
    let still = Still::begin();
    let (mut text, mut firsts) = (Vec::new(), Vec::new());
    while firsts.last().is_none_or(|first| first & 0x80 == 0) {
        let (first, part) = soon("a frame", raw_frame(&mut tcp)).await.expect("it was cut off");
        assert!(part.len() <= FRAME_LEN_MAX);
        firsts.push(first);
        text.extend(part);
        pass(&still, 5).await;
    }
    assert_eq!(text.len(), LEN / 3 * 3);
    assert!(String::from_utf8(text).is_ok());
    assert!(firsts.len() > 60, "{} frames take minutes", firsts.len());
    let (first, rest) = firsts.split_first().unwrap();
    let (last, between) = rest.split_last().unwrap();
    assert_eq!((*first, *last), (0x01, 0x80));
    assert!(between.iter().all(|first| *first == 0x00));
    assert!(matches!(end.recv().await, Some(Ok(()))));
    drop((still, tcp));
    tokio::time::resume();
    while served.join_next().await.is_some() {}
}

#[tokio::test]
async fn one_who_takes_nothing_is_stalled() {
    let (mut tcp, mut end, mut served) = told(Duration::from_millis(100)).await;
    assert!(matches!(soon("the end", end.recv()).await, Some(Err(Fault::Stalled))));
    let _ = soon("the end", tcp.read_to_end(&mut Vec::new())).await;
    while served.join_next().await.is_some() {}
}

/// The write alone would wait for an hour.
#[tokio::test]
async fn one_who_answers_nothing_is_gone_in_time_though_something_waits_to_be_written() {
    let (tcp, mut end, mut served) = told(Duration::from_secs(3_600)).await;
    let still = Still::begin();
    let (begun, mut seconds) = (std::time::Instant::now(), 0);
    let ended = loop {
        match end.try_recv() {
            Ok(ended) => break ended,
            Err(_) => pass(&still, 1).await,
        }
        seconds += 1;
        assert!(begun.elapsed() < LIMIT, "it is still there after {seconds} s");
    };
    assert!(matches!(ended, Err(Fault::Silent)), "{ended:?}");
    assert!((40..3_600).contains(&seconds), "{seconds} s");
    drop((still, tcp));
    tokio::time::resume();
    while served.join_next().await.is_some() {}
}
