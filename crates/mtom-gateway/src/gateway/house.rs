//! Home Assistant and its devices: what is heard of them, and what is told.

use super::listening::cover;
use super::{StartError, own_client_id};
use crate::Clock;
use crate::announce::{Again, Announcer, Ears, Talk, Words};
use crate::control::Control;
use crate::discovery::{Around, Discovered, plain};
use crate::links;
use crate::settings::{HomeAssistant, Settings, Source};
use crate::view::View;
use mtom_broker::outlet::Outlet;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What hears, before there is anything to tell.
pub(super) struct Hearing {
    pub(super) discovered: Discovered,
    pub(super) ears: Ears,
    /// The filters of readings, without the groups that share them: so topics are as they are.
    pub(super) topics: Vec<String>,
    /// The same with them.
    pub(super) filters: Vec<String>,
    /// The topics on which switches are spoken to and answer.
    pub(super) spoken: Vec<String>,
    /// What Home Assistant says comes on a connection of its own, and is nothing where it comes otherwise.
    pub(super) is_apart: bool,
    settings: HomeAssistant,
    /// The URL of a broker that is not our own, else empty.
    broker: String,
    folder: PathBuf,
    id: String,
    again: (Words, Arc<Again>),
}

/// What hears and what tells.
pub(super) struct House {
    pub(super) discovered: Discovered,
    pub(super) talk: Talk,
    /// `None`: there is no broker to tell it through.
    announcer: Option<Announcer>,
}

impl Hearing {
    pub(super) fn new(settings: &Settings, view: &View) -> Result<Self, StartError> {
        let spoken = links::topics(&settings.actuators);
        let broker = match &settings.source {
            Source::External { target, .. } => target.endpoint.to_string(),
            _ => String::new(),
        };
        let is_apart = !broker.is_empty() && settings.home_assistant.announce;
        let Settings { data_dir: folder, home_assistant: settings, topics, .. } = settings;
        let filters = topics.clone();
        let topics: Vec<_> = topics.iter().map(|text| plain(text)).collect();
        let id = own_client_id(folder)?;
        let (ears, words, again) = Ears::new(&settings.prefix, &id, settings.announce);
        let cover = cover(&topics, ears.ours(), &spoken);
        let (of_devices, of_series) = (view.clone(), view.clone());
        let known = move |device: &str| of_devices.topics_of(device);
        let newest = move |device: &str, quantity: &str| of_series.newest(device, quantity);
        let is_shared = filters.iter().any(|text| plain(text) != *text);
        let around = Around {
            cover: Arc::new(cover),
            known: Arc::new(known),
            newest: Arc::new(newest),
            is_shared,
        };
        let discovered = Discovered::open(folder, settings, around);
        let (settings, folder) = (settings.clone(), folder.clone());
        let again = (words, again);
        Ok(Self {
            discovered,
            ears,
            topics,
            filters,
            spoken,
            is_apart,
            settings,
            broker,
            folder,
            id,
            again,
        })
    }

    /// With the way to the broker, and what there is to tell.
    pub(super) fn telling(
        self,
        outlet: Option<Outlet>,
        view: &View,
        control: &Control,
        clock: &Clock,
    ) -> House {
        let Self { discovered, ears, settings, broker, folder, id, again, .. } = self;
        let (words, again) = again;
        let talk = ears.talk().clone();
        if outlet.is_none() && settings.announce {
            tracing::warn!("homeassistant.announce is of no use without a broker");
            talk.has_line();
            talk.down("this gateway has no broker: let the one that it follows announce".into());
        }
        let announcer = outlet.map(|outlet| {
            let told = (view.clone(), control.clone(), Arc::clone(clock));
            Announcer::new(
                &settings,
                &folder,
                &id,
                (outlet, &broker),
                told,
                (words, again, talk.clone()),
            )
        });
        House { discovered, talk, announcer }
    }
}

impl House {
    /// Tells until `feeding` ends, and keeps what it has heard until `serving` does.
    pub(super) fn run(
        self,
        tasks: &mut JoinSet<()>,
        feeding: &CancellationToken,
        serving: &CancellationToken,
    ) {
        tasks.spawn(self.discovered.keep(serving.clone()));
        if let Some(announcer) = self.announcer {
            tasks.spawn(announcer.run(feeding.clone()));
        }
    }
}
