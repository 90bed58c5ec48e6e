//! Requests and answers on the wire: each begins with the length of what follows (4 bytes) and its number (8 bytes), big-endian.

use std::io;

/// What stands before a request's body.
pub(crate) const PREFIX_BYTES: usize = 12;
/// An answer, whole: about what a Produce response has.
pub(crate) const ANSWER_BYTES: usize = 64;

const LENGTH_BYTES: usize = 4;

/// The beginning of a frame of so many bytes, these included.
pub(crate) fn prefix(number: u64, frame_bytes: usize) -> [u8; PREFIX_BYTES] {
    let [a, b, c, d] = ((frame_bytes - LENGTH_BYTES) as u32).to_be_bytes();
    let [e, f, g, h, i, j, k, l] = number.to_be_bytes();
    [a, b, c, d, e, f, g, h, i, j, k, l]
}

/// Puts the answer to a request behind others.
pub(crate) fn push_answer(answers: &mut Vec<u8>, number: u64) {
    answers.extend_from_slice(&prefix(number, ANSWER_BYTES));
    answers.resize(answers.len() + ANSWER_BYTES - PREFIX_BYTES, 0);
}

/// What has arrived of a connection's frames, cut anywhere.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    prefix: [u8; PREFIX_BYTES],
    /// Bytes of the prefix that are there.
    filled: usize,
    /// Bytes of the body that are not.
    left: usize,
}

impl Frames {
    /// Takes what has arrived; tells the number and the whole length of each frame that ends in it.
    pub(crate) fn take(
        &mut self,
        mut bytes: &[u8],
        mut on_frame: impl FnMut(u64, usize) -> io::Result<()>,
    ) -> io::Result<()> {
        loop {
            if self.filled < PREFIX_BYTES {
                let taken = bytes.len().min(PREFIX_BYTES - self.filled);
                let (now, later) = bytes.split_at(taken);
                self.prefix.iter_mut().skip(self.filled).zip(now).for_each(|(place, byte)| *place = *byte);
                self.filled += taken;
                bytes = later;
                if self.filled < PREFIX_BYTES {
                    return Ok(());
                }
                self.left = self.frame_bytes().checked_sub(PREFIX_BYTES).ok_or_else(too_short)?;
            }
            let (_, later) = bytes.split_at(bytes.len().min(self.left));
            self.left -= bytes.len() - later.len();
            bytes = later;
            if self.left > 0 {
                return Ok(());
            }
            self.filled = 0;
            on_frame(self.number(), self.frame_bytes())?;
        }
    }

    fn frame_bytes(&self) -> usize {
        let [a, b, c, d, ..] = self.prefix;
        LENGTH_BYTES + u32::from_be_bytes([a, b, c, d]) as usize
    }

    fn number(&self) -> u64 {
        let [_, _, _, _, a, b, c, d, e, f, g, h] = self.prefix;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

fn too_short() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a frame announces fewer bytes than its own number has")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_wherever_the_stream_is_cut() {
        let lengths = [12, 100, 13, 4096, 64];
        let mut stream = Vec::new();
        for (number, length) in (7..).zip(lengths) {
            stream.extend_from_slice(&prefix(number, length));
            stream.resize(stream.len() + length - PREFIX_BYTES, 0xff);
        }
        for step in [1, 3, 12, 100, stream.len()] {
            let (mut frames, mut found) = (Frames::default(), Vec::new());
            for part in stream.chunks(step) {
                let on_frame = |number, length| {
                    found.push((number, length));
                    Ok(())
                };
                frames.take(part, on_frame).unwrap();
            }
            assert_eq!(found, [(7, 12), (8, 100), (9, 13), (10, 4096), (11, 64)], "cut every {step} bytes");
        }
    }

    #[test]
    fn a_frame_shorter_than_its_number_is_refused() {
        let error = Frames::default().take(&[0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0], |_, _| Ok(())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
