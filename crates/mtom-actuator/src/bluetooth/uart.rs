//! The Nordic UART Service as a stream of bytes.
//!
//! A piece is handed to the stack when it is written, and nothing is taken after it until the device
//! has answered the write: one frame is on its way, none waits. A write that is not answered in time
//! breaks the stream, for readers as well, because a device that is gone says nothing.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

/// What fits into one write at any MTU [Core 5.4, Vol 3, Part F, 3.2.8].
const WRITE_LEN_MAX: usize = 20;

/// A write to RX until the device has answered it.
pub(crate) type Writing = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

/// The stream: notifications of TX come in, what is written goes to RX.
pub(crate) struct Uart<N> {
    notified: N,
    write: Box<dyn Fn(Vec<u8>) -> Writing + Send>,
    writing: Option<Writing>,
    write_timeout: Duration,
}

impl<N> Uart<N> {
    pub(crate) fn new(
        notified: N,
        write: impl Fn(Vec<u8>) -> Writing + Send + 'static,
        write_timeout: Duration,
    ) -> Self {
        Self { notified, write: Box::new(write), writing: None, write_timeout }
    }

    /// Ready when nothing is on its way.
    fn poll_written(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(writing) = &mut self.writing {
            let written = ready!(writing.as_mut().poll(context));
            self.writing = None;
            written?;
        }
        Poll::Ready(Ok(()))
    }
}

impl<N: Unpin> AsyncWrite for Uart<N> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_written(context))?;
        let len = bytes.len().min(WRITE_LEN_MAX);
        let write = (self.write)(bytes.get(..len).unwrap_or_default().to_vec());
        let limit = self.write_timeout;
        self.writing = Some(Box::pin(async move {
            timeout(limit, write).await.unwrap_or_else(|_| {
                let reason = format!("the device does not answer a write within {limit:?}");
                Err(io::Error::new(io::ErrorKind::TimedOut, reason))
            })
        }));
        // It leaves now, not when somebody looks after it.
        if let Poll::Ready(Err(cause)) = self.poll_written(context) {
            return Poll::Ready(Err(cause));
        }
        Poll::Ready(Ok(len))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_written(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(context)
    }
}

impl<N: AsyncRead + Unpin> AsyncRead for Uart<N> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(Err(cause)) = self.poll_written(context) {
            return Poll::Ready(Err(cause));
        }
        Pin::new(&mut self.notified).poll_read(context, buffer)
    }
}

#[cfg(test)]
mod tests;
