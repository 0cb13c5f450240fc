//! Counts WebSocket frames in a stream of bytes by their headers alone.

use anyhow::{Result, bail};

/// Where one stream is.
#[derive(Default)]
pub(crate) struct FrameCounter {
    head: [u8; 4],
    head_len: usize,
    /// Bytes of the present frame that are still to come.
    left: usize,
}

impl FrameCounter {
    /// How many text frames end in `bytes`. Any other frame is an error: the server has nothing else
    /// to say to a viewer that behaves.
    pub(crate) fn count(&mut self, bytes: &[u8]) -> Result<u64> {
        let mut at = 0;
        let mut count = 0;
        while at < bytes.len() {
            if self.left == 0 {
                self.head[self.head_len] = bytes[at];
                self.head_len += 1;
                at += 1;
                self.left = match self.head[..self.head_len] {
                    [0x81] => continue,
                    [0x81, len @ 1..126] => usize::from(len),
                    [0x81, 126] | [0x81, 126, _] => continue,
                    [0x81, 126, high, low] => usize::from(u16::from_be_bytes([high, low])),
                    ref other => bail!("no frame of readings begins with {other:02x?}"),
                };
                self.head_len = 0;
            }
            let len = self.left.min(bytes.len() - at);
            self.left -= len;
            at += len;
            count += u64::from(self.left == 0);
        }
        Ok(count)
    }
}
