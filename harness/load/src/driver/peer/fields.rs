//! Numbers and texts as peers put them behind each other: numbers with the most significant byte first.

const END: &str = "a frame ends before its fields do";

/// Fields, from the front to the back.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let (bytes, rest) = self.0.split_first_chunk::<N>().ok_or(END)?;
        self.0 = rest;
        Ok(*bytes)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, String> {
        Ok(u8::from_be_bytes(self.take()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, String> {
        Ok(u16::from_be_bytes(self.take()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, String> {
        Ok(u32::from_be_bytes(self.take()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, String> {
        Ok(u64::from_be_bytes(self.take()?))
    }

    /// A text, its length in one byte before it.
    pub(crate) fn short(&mut self) -> Result<&'a str, String> {
        let bytes = usize::from(self.u8()?);
        std::str::from_utf8(self.bytes(bytes)?).map_err(|_| "a text is no UTF-8".to_owned())
    }

    pub(crate) fn bytes(&mut self, bytes: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(bytes).ok_or(END)?;
        self.0 = rest;
        Ok(taken)
    }
}
