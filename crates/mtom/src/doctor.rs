//! `mtom doctor`: looks at everything that mtom needs and says what to do about what is wrong.
//!
//! It changes nothing, and a gateway may run beside it.

use crate::config::{Broker, Config};
use crate::past::arguments::Place;
use crate::past::with_journal;
use crate::{Failure, clock, report};
use mtom_actuator::LinkAddress;
use mtom_protocol::time::UnixMicros;
use mtom_store::error::OpenError;
use mtom_store::history::{History, IdQuery};
use mtom_store::maria::{Limits, Maria, Settings, chain};
use std::collections::BTreeSet;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::time::Duration;
use tokio::runtime::Runtime;

/// How long anything may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

pub(crate) fn run(place: &Place) -> Result<(), Failure> {
    with_journal(place, |config, journal| {
        let mut findings = Findings::default();
        findings.good("configuration", "valid");
        folder(&mut findings, &config, &journal);
        let history = history(&mut findings, &journal);
        let runs = answers(config.dashboard);
        ports(&mut findings, &config, runs);
        broker(&mut findings, &config);
        bluetooth(&mut findings, &config);
        if let Some(url) = &config.store.url {
            database(&mut findings, url, &config, history.as_ref());
        }
        match findings.bad {
            0 => Ok(()),
            1 => Err(Failure::Failed(anyhow::anyhow!("1 thing needs attention"))),
            bad => Err(Failure::Failed(anyhow::anyhow!("{bad} things need attention"))),
        }
    })
}

/// What was found so far.
#[derive(Default)]
struct Findings {
    bad: u32,
}

impl Findings {
    fn good(&mut self, what: &str, how: &str) {
        report::line(&format!("ok    {what}: {how}"));
    }

    fn hint(&mut self, what: &str, how: &str) {
        report::line(&format!("hint  {what}: {how}"));
    }

    fn bad(&mut self, what: &str, how: &str) {
        self.bad += 1;
        report::line(&format!("BAD   {what}: {how}"));
    }
}

fn folder(findings: &mut Findings, config: &Config, journal: &Path) {
    let folder = journal.parent().unwrap_or(Path::new("."));
    let name = format!("data folder {}", folder.display());
    if !folder.exists() {
        findings.good(&name, "is made at the first start");
        return;
    }
    let probe = folder.join(".mtom-doctor");
    let written = std::fs::File::create(&probe).and_then(|mut file| file.write_all(b"x"));
    let _ = std::fs::remove_file(&probe);
    if let Err(cause) = written {
        findings.bad(&name, &format!("cannot be written ({cause}): change its owner, or data.dir"));
        return;
    }
    match mtom_gateway::settings::disk_free(folder) {
        None => findings.hint(&name, "how much room its disk has is not known"),
        Some(free) if free < config.store.keep.disk_free_min => findings.bad(
            &name,
            &format!(
                "its disk has only {} MB left, less than store.min_free_megabytes: the oldest readings \
                 are being deleted; make room, or move data.dir",
                free / 1_000_000
            ),
        ),
        Some(free) => findings.good(&name, &format!("{} MB free", free / 1_000_000)),
    }
}

fn history(findings: &mut Findings, journal: &Path) -> Option<History> {
    let name = format!("history {}", journal.display());
    let history = match History::open(journal) {
        Ok(history) => history,
        Err(OpenError::Missing { .. }) => {
            findings.good(&name, "is made at the first start");
            return None;
        }
        Err(error) => {
            findings.bad(&name, &error.to_string());
            return None;
        }
    };
    match history.size() {
        Ok(size) => {
            let how = format!("{} readings, {} KB", size.readings, size.len.div_ceil(1_000));
            findings.good(&name, &how);
        }
        Err(error) => findings.bad(&name, &error.to_string()),
    }
    Some(history)
}

/// Something listens there and takes a connection.
fn answers(address: SocketAddr) -> bool {
    address.port() != 0 && TcpStream::connect_timeout(&address, ANSWER).is_ok()
}

fn ports(findings: &mut Findings, config: &Config, runs: bool) {
    if runs {
        findings.good("gateway", &format!("the page answers at http://{}", config.dashboard));
        return;
    }
    findings.hint("gateway", "does not run; start it with mtom up");
    let mut wanted = vec![
        ("dashboard.listen", config.dashboard),
        ("live.listen", config.live),
        ("history.listen", config.history),
        ("forward.tcp.listen", config.tcp),
    ];
    if let Broker::Embedded { listen, .. } = config.broker {
        wanted.push(("broker.listen", listen));
    }
    let tcp = |(key, address)| (key, address, TcpListener::bind(address).map(drop));
    let udp = config.udp.listen.map(|address| ("forward.udp.listen", address));
    let udp = udp.map(|(key, address)| (key, address, UdpSocket::bind(address).map(drop)));
    for (key, address, bound) in wanted.into_iter().map(tcp).chain(udp) {
        match bound {
            Ok(()) => findings.good(key, &format!("{address} is free")),
            Err(cause) => findings.bad(
                key,
                &format!("{address} cannot be had ({cause}): stop what uses it, or set {key}"),
            ),
        }
    }
}

fn broker(findings: &mut Findings, config: &Config) {
    let Broker::External { target, .. } = &config.broker else { return };
    let name = format!("broker {}", target.endpoint);
    let Some(runtime) = runtime(findings, &name) else { return };
    // Not the gateway's own name: that would end its connection [MQTT-3.1.4-2].
    let client_id = format!("mtom-doctor-{}", std::process::id());
    match runtime.block_on(mtom_mqtt::check::check(target, &client_id)) {
        Ok(spoken) => findings.good(&name, &format!("lets this user in, {spoken}")),
        Err(fault) => findings.bad(&name, &fault.to_string()),
    }
}

/// Whether the adapters work that links are over; nothing where none is.
fn bluetooth(findings: &mut Findings, config: &Config) {
    let adapter = |link: &str| match link.parse() {
        Ok(LinkAddress::Ble(device) | LinkAddress::Spp(device)) => Some(device.adapter),
        _ => None,
    };
    let links = config.actuators.iter();
    let adapters: BTreeSet<_> = links.filter_map(|actuator| adapter(&actuator.link)).collect();
    if adapters.is_empty() {
        return;
    }
    let Some(runtime) = runtime(findings, "Bluetooth") else { return };
    for adapter in adapters {
        let name = adapter.as_ref().map_or("Bluetooth".into(), |name| format!("Bluetooth {name}"));
        match runtime.block_on(mtom_actuator::check(adapter.as_deref())) {
            Ok(works) => findings.good(&name, &format!("adapter {works} works")),
            Err(trouble) => findings.bad(&name, &trouble.to_string()),
        }
    }
}

/// To ask what answers in its own time.
fn runtime(findings: &mut Findings, what: &str) -> Option<Runtime> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|cause| findings.bad(what, &format!("cannot be asked ({cause})"))).ok()
}

fn database(findings: &mut Findings, url: &str, config: &Config, history: Option<&History>) {
    if let Some(history) = history {
        backlog(findings, history);
    }
    let Ok(url) = url.parse::<mtom_store::maria::Url>() else { return };
    let name = format!("MariaDB {}", url.address());
    let settings = Settings {
        url,
        password: config.store.password.clone(),
        gateway: "mtom-doctor".into(),
        limits: Limits { connect: ANSWER, statement: ANSWER },
    };
    let Some(runtime) = runtime(findings, &name) else { return };
    runtime.block_on(async {
        match Maria::check(&settings).await {
            Ok(()) => findings.good(&name, "lets this user in"),
            Err(error) => findings.bad(
                &name,
                &format!("{}; nothing is lost: readings wait in the journal", chain(&error)),
            ),
        }
    });
}

/// What the database lacks, as far as the gateway has written it down.
fn backlog(findings: &mut Findings, history: &History) {
    const NAME: &str = "backlog";
    let now: UnixMicros = (clock::system())();
    let found = history.drained().and_then(|(drained, newest)| {
        let query = IdQuery { after: Some(drained), limit: 1, ..IdQuery::default() };
        Ok((drained, newest, history.page_by_id(query)?))
    });
    match found {
        Ok((_, _, oldest)) if oldest.is_empty() => {
            findings.good(NAME, "MariaDB had everything when it was last asked");
        }
        Ok((drained, newest, oldest)) => {
            let age = oldest.first().map_or(Duration::ZERO, |row| now.since(row.arrived_at));
            findings.hint(
                NAME,
                &format!(
                    "MariaDB lacks {} readings, the oldest {} s old; they are copied when it takes them",
                    newest.saturating_sub(drained),
                    age.as_secs()
                ),
            );
        }
        Err(error) => findings.bad(NAME, &error.to_string()),
    }
}
