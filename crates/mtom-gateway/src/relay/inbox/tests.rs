use super::*;
use mtom_protocol::time::UnixMicros;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

const NEVER: Duration = Duration::from_secs(3_600);

fn sent(number: u64) -> Outcome {
    Outcome::Sent { number, at: UnixMicros(0) }
}

/// An outcome comes, and somebody asks for something every 300 ms: when is it written?
#[tokio::test(start_paused = true)]
async fn an_outcome_is_written_in_time_however_often_somebody_asks() {
    let (_deliveries, deliveries) = mpsc::channel(1);
    let (outcome, outcomes) = mpsc::channel(2);
    let (ask, requests) = mpsc::channel(1);
    let (_note, notes) = mpsc::channel(1);
    let (_forward, forwarded) = mpsc::channel(1);
    let mut inbox = Inbox { deliveries, forwarded, outcomes, requests, notes };
    let (mut work, end) = (Work::default(), CancellationToken::new());
    let begun = Instant::now();
    outcome.send(sent(1)).await.unwrap();
    let mut asking = JoinSet::new();
    asking.spawn(async move {
        loop {
            sleep(Duration::from_millis(300)).await;
            let (answer, _) = oneshot::channel();
            if ask.send(Request::Standing { answer }).await.is_err() {
                return;
            }
        }
    });
    let mut asked = 0;
    while !matches!(inbox.next(&mut work, NEVER, &end).await, Wake::Timer) {
        asked += 1;
        // A later one does not put the first one off.
        let _ = outcome.try_send(sent(2));
    }
    assert_eq!((asked, begun.elapsed()), (3, OUTCOME_DELAY));
    assert_eq!(work.told[..2], [sent(1), sent(2)]);
    // The disk is full: it is tried again, and not at once.
    work.put_off_told(Instant::now());
    while !matches!(inbox.next(&mut work, NEVER, &end).await, Wake::Timer) {}
    assert_eq!(begun.elapsed(), OUTCOME_DELAY * 2);
    work.close_told();
    assert!(work.told.is_empty() && work.told_due.is_none());
    drop(inbox);
    asking.join_next().await.unwrap().unwrap();
}
