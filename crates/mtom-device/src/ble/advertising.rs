//! Being found: with the commands of extended advertising where the controller knows them, else with the
//! old ones [Core 5.4, Vol 4, Part E, 3.1.1: a controller takes either].
//!
//! What is on the air is the same, and every central hears it. The new commands are asked for first
//! because some controllers let a central that scans with the new ones not hear the old ones.

use super::{ADVERTISEMENT_LEN, SERVICE};
use bt_hci::cmd::le::{
    LeClearAdvSets, LeReadNumberOfSupportedAdvSets, LeSetAdvSetRandomAddr, LeSetExtAdvData,
    LeSetExtAdvEnable, LeSetExtAdvParams, LeSetExtScanResponseData,
};
use bt_hci::controller::ControllerCmdSync;
use trouble_host::prelude::{
    AdStructure, Advertisement, AdvertisementParameters, AdvertisementSet, Advertiser,
    BR_EDR_NOT_SUPPORTED, BleHostError, Controller, DefaultPacketPool, Error,
    LE_GENERAL_DISCOVERABLE, Peripheral,
};

/// A controller that can be given every command there is; it may refuse those that it does not know.
pub trait Radio:
    Controller
    + ControllerCmdSync<LeReadNumberOfSupportedAdvSets>
    + ControllerCmdSync<LeClearAdvSets>
    + ControllerCmdSync<LeSetExtAdvParams>
    + ControllerCmdSync<LeSetAdvSetRandomAddr>
    + for<'t> ControllerCmdSync<LeSetExtAdvData<'t>>
    + for<'t> ControllerCmdSync<LeSetExtScanResponseData<'t>>
    + for<'t> ControllerCmdSync<LeSetExtAdvEnable<'t>>
{
}

impl<C> Radio for C where
    C: Controller
        + ControllerCmdSync<LeReadNumberOfSupportedAdvSets>
        + ControllerCmdSync<LeClearAdvSets>
        + ControllerCmdSync<LeSetExtAdvParams>
        + ControllerCmdSync<LeSetAdvSetRandomAddr>
        + for<'t> ControllerCmdSync<LeSetExtAdvData<'t>>
        + for<'t> ControllerCmdSync<LeSetExtScanResponseData<'t>>
        + for<'t> ControllerCmdSync<LeSetExtAdvEnable<'t>>
{
}

/// Which commands a controller is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Commands {
    Extended,
    Legacy,
}

/// Begins to advertise; a controller that refuses the new commands is given the old ones from then on.
pub(super) async fn begin<'a, C: Radio>(
    peripheral: &mut Peripheral<'a, C, DefaultPacketPool>,
    name: &str,
    commands: &mut Commands,
) -> Result<Advertiser<'a, C, DefaultPacketPool>, BleHostError<C::Error>> {
    let flags = AdStructure::Flags(LE_GENERAL_DISCOVERABLE | BR_EDR_NOT_SUPPORTED);
    let service = [SERVICE.to_le_bytes()];
    let service = AdStructure::CompleteServiceUuids128(&service);
    let name = AdStructure::CompleteLocalName(name.as_bytes());
    let (mut advertisement, mut response) = ([0; ADVERTISEMENT_LEN], [0; ADVERTISEMENT_LEN]);
    // The name of the original just fits; a longer one is told to whoever asks.
    let (len, response_len) =
        match AdStructure::encode_slice(&[flags, service, name], &mut advertisement) {
            Ok(len) => (len, 0),
            Err(_) => (
                AdStructure::encode_slice(&[flags, service], &mut advertisement)?,
                AdStructure::encode_slice(&[name], &mut response)?,
            ),
        };
    let data = Advertisement::ConnectableScannableUndirected {
        adv_data: advertisement.get(..len).unwrap_or_default(),
        scan_data: response.get(..response_len).unwrap_or_default(),
    };
    let params = AdvertisementParameters::default();
    if *commands == Commands::Extended {
        let sets = [AdvertisementSet { params, data, address: None }];
        let mut handles = AdvertisementSet::handles(&sets);
        match peripheral.advertise_ext(&sets, &mut handles).await {
            Err(error) if is_unknown(&error) => *commands = Commands::Legacy,
            result => return result,
        }
    }
    peripheral.advertise(&params, data).await
}

/// The first of the new commands, which asks how many sets there are, is refused or answered with none.
fn is_unknown<E>(error: &BleHostError<E>) -> bool {
    match error {
        BleHostError::BleHost(Error::Hci(status)) => *status == bt_hci::param::Error::UNKNOWN_CMD,
        BleHostError::BleHost(error) => matches!(error, Error::InsufficientSpace),
        BleHostError::Controller(_) => false,
    }
}
