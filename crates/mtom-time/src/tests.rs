use embassy_time::{Duration, Instant, Timer, with_timeout};

#[tokio::test(start_paused = true)]
async fn a_paused_clock_runs_ahead_to_the_next_timer() {
    super::run(async {
        let start = Instant::now();
        Timer::after(Duration::from_secs(3_600)).await;
        assert_eq!(start.elapsed().as_secs(), 3_600);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_earlier_timer_of_another_task_is_not_kept_waiting() {
    let local = tokio::task::LocalSet::new();
    let order = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    super::run(local.run_until(async {
        let mut tasks = tokio::task::JoinSet::new();
        for seconds in [30, 10, 20] {
            let order = order.clone();
            tasks.spawn_local(async move {
                Timer::after(Duration::from_secs(seconds)).await;
                order.borrow_mut().push((seconds, Instant::now().as_secs()));
            });
        }
        while tasks.join_next().await.is_some() {}
    }))
    .await;
    assert_eq!(*order.borrow(), [(10, 10), (20, 20), (30, 30)]);
}

#[tokio::test(start_paused = true)]
async fn a_timer_that_is_given_up_disturbs_nothing() {
    super::run(async {
        let start = Instant::now();
        let never = std::future::pending::<()>();
        assert!(with_timeout(Duration::from_secs(1), never).await.is_err());
        let quick = with_timeout(Duration::from_secs(50), async { 7 }).await;
        assert_eq!((quick, start.elapsed().as_secs()), (Ok(7), 1));
        Timer::after(Duration::from_secs(1)).await;
        assert_eq!(start.elapsed().as_secs(), 2);
    })
    .await;
}
