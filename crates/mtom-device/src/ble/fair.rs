//! A controller whose packets are taken one by one.
//!
//! Those that wait must not all be looked at before anybody else has had his turn: a central that has just
//! connected may ask to be paired with its next packet, and the answer depends on who it is.

use bt_hci::ControllerToHostPacket;
use bt_hci::cmd::{AsyncCmd, Error, SyncCmd};
use bt_hci::controller::{Controller, ControllerCmdAsync, ControllerCmdSync};
use bt_hci::data::{AclPacket, IsoPacket, SyncPacket};
use embassy_futures::yield_now;
use embedded_io_async::ErrorType;

pub(super) struct Fair<C>(pub(super) C);

impl<C: ErrorType> ErrorType for Fair<C> {
    type Error = C::Error;
}

impl<C: Controller> Controller for Fair<C> {
    type Buffer<'a> = C::Buffer<'a>;

    fn alloc_buf(&self) -> Result<Self::Buffer<'_>, Self::Error> {
        self.0.alloc_buf()
    }

    async fn write_acl_data(&self, packet: &AclPacket<'_>) -> Result<(), Self::Error> {
        self.0.write_acl_data(packet).await
    }

    async fn write_sync_data(&self, packet: &SyncPacket<'_>) -> Result<(), Self::Error> {
        self.0.write_sync_data(packet).await
    }

    async fn write_iso_data(&self, packet: &IsoPacket<'_>) -> Result<(), Self::Error> {
        self.0.write_iso_data(packet).await
    }

    async fn read<'a>(
        &self,
        buffer: &'a mut Self::Buffer<'_>,
    ) -> Result<ControllerToHostPacket<'a>, Self::Error> {
        yield_now().await;
        self.0.read(buffer).await
    }
}

impl<C: ControllerCmdSync<Q>, Q: SyncCmd + ?Sized> ControllerCmdSync<Q> for Fair<C> {
    async fn exec(&self, command: &Q) -> Result<Q::Return, Error<Self::Error>> {
        self.0.exec(command).await
    }
}

impl<C: ControllerCmdAsync<Q>, Q: AsyncCmd + ?Sized> ControllerCmdAsync<Q> for Fair<C> {
    async fn exec(&self, command: &Q) -> Result<(), Error<Self::Error>> {
        self.0.exec(command).await
    }
}
