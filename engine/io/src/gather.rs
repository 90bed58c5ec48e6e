//! A vectored write on its way: the buffers that it owns and how much of them the kernel has taken.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// Linux's IOV_MAX: more vectors in one call are refused with EINVAL.
pub(crate) const MAX_VECTORS: usize = 1024;

/// The buffers of one write that are still to be written, in order; never holds an empty one.
#[derive(Debug)]
pub(crate) struct Gather {
    left: VecDeque<Bytes>,
}

impl Gather {
    pub(crate) fn new(buffers: Vec<Bytes>) -> Gather {
        let mut left = VecDeque::from(buffers);
        left.retain(|buffer| !buffer.is_empty());
        Gather { left }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.left.is_empty()
    }

    /// The next vectors, at most [`MAX_VECTORS`].
    pub(crate) fn vectors(&self) -> Vec<IoSlice<'_>> {
        self.left.iter().take(MAX_VECTORS).map(|buffer| IoSlice::new(buffer)).collect()
    }

    /// Drops the first `written` bytes.
    pub(crate) fn advance(&mut self, mut written: usize) {
        while let Some(front) = self.left.front_mut() {
            if written < front.len() {
                front.advance(written);
                return;
            }
            written -= front.len();
            self.left.pop_front();
        }
    }

    /// The first `limit` bytes of what is left, sharing the buffers.
    pub(crate) fn head(&self, mut limit: usize) -> Vec<Bytes> {
        let mut head = Vec::new();
        for buffer in &self.left {
            let step = limit.min(buffer.len());
            if step == 0 {
                break;
            }
            head.push(buffer.slice(..step));
            limit -= step;
        }
        head
    }

    /// Bytes left.
    pub(crate) fn bytes(&self) -> usize {
        self.left.iter().map(Bytes::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advancing_crosses_buffers_and_skips_empty_ones() {
        let mut gather = Gather::new(vec![
            Bytes::from_static(b"abc"),
            Bytes::new(),
            Bytes::from_static(b"de"),
            Bytes::from_static(b"f"),
        ]);
        assert_eq!(gather.vectors().len(), 3);
        gather.advance(4);
        assert_eq!(gather.head(9), [Bytes::from_static(b"e"), Bytes::from_static(b"f")]);
        assert_eq!((gather.head(1).len(), gather.bytes()), (1, 2));
        gather.advance(2);
        assert!(gather.is_done());
    }
}
