//! Cuts a byte stream into messages: a varint length, then that many bytes.

use std::io::{self, Read};

use bytes::Bytes;

/// Bytes read ahead. Requests that fit are served from here without another read.
const READ_AHEAD: usize = 64 * 1024;

/// Bytes of the longest varint of 64 bits.
const MAX_PREFIX: usize = 10;

/// The message limit for blocks of at most `max_block_bytes`: four blocks and 8 MiB.
pub fn message_limit(max_block_bytes: u64) -> usize {
    let limit = max_block_bytes.saturating_mul(4).saturating_add(8 << 20);
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// Why no further message can be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("message of {length} bytes is over the limit of {limit}")]
    TooLong { length: u64, limit: usize },
    #[error("message length is not a varint of 64 bits")]
    BadPrefix,
    #[error("connection ended inside a message")]
    Truncated,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads messages from `R` through one buffer.
///
/// Each message gets an allocation of its own, and everything decoded from it shares that. So a
/// transaction that the pool keeps holds no other message in memory, and one in a block costs no
/// copy.
pub(crate) struct FrameReader<R> {
    stream: R,
    limit: usize,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl<R: Read> FrameReader<R> {
    pub(crate) fn new(stream: R, limit: usize) -> Self {
        let buffer = vec![0; READ_AHEAD].into_boxed_slice();
        Self {
            stream,
            limit,
            buffer,
            start: 0,
            end: 0,
        }
    }

    /// True when the next message is in the buffer as a whole, so that reading it cannot block.
    pub(crate) fn has_buffered(&self) -> bool {
        match parse_prefix(self.unread()) {
            Ok(Some((prefix, length))) => {
                (self.unread().len() - prefix) as u64 >= length || length > self.limit as u64
            }
            Ok(None) => false,
            Err(_) => true,
        }
    }

    /// The next message, or `None` when the stream ends between two messages.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, FrameError> {
        loop {
            if let Some((prefix, length)) = parse_prefix(self.unread())? {
                if length > self.limit as u64 {
                    return Err(FrameError::TooLong {
                        length,
                        limit: self.limit,
                    });
                }
                self.start += prefix;
                return self.body(length as usize).map(Some);
            }
            let was_empty = self.unread().is_empty();
            if self.fill()? == 0 {
                return if was_empty {
                    Ok(None)
                } else {
                    Err(FrameError::Truncated)
                };
            }
        }
    }

    fn unread(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    fn body(&mut self, length: usize) -> Result<Bytes, FrameError> {
        let buffered = self.unread().len();
        if length <= buffered {
            let body = Bytes::copy_from_slice(&self.unread()[..length]);
            self.start += length;
            return Ok(body);
        }
        let mut body = vec![0; length];
        body[..buffered].copy_from_slice(self.unread());
        self.start = self.end;
        // The rest of a short message comes through the buffer, with what follows it.
        let mut filled = buffered;
        while length - filled < READ_AHEAD && filled < length {
            if self.fill()? == 0 {
                return Err(FrameError::Truncated);
            }
            let take = self.unread().len().min(length - filled);
            body[filled..filled + take].copy_from_slice(&self.unread()[..take]);
            self.start += take;
            filled += take;
        }
        self.stream
            .read_exact(&mut body[filled..])
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => FrameError::Truncated,
                _ => FrameError::Io(error),
            })?;
        Ok(Bytes::from(body))
    }

    /// Reads once, behind what is unread. Returns the number of bytes read, 0 at the end.
    fn fill(&mut self) -> io::Result<usize> {
        // What is unread is at most a prefix here, so there is always room behind it.
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        loop {
            match self.stream.read(&mut self.buffer[self.end..]) {
                Ok(count) => {
                    self.end += count;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// The prefix's own length and the length that it states; `None` when more bytes are needed.
fn parse_prefix(bytes: &[u8]) -> Result<Option<(usize, u64)>, FrameError> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().take(MAX_PREFIX).enumerate() {
        let bits = u64::from(byte & 0x7f);
        // The tenth byte has room for one bit.
        if index == MAX_PREFIX - 1 && bits > 1 {
            return Err(FrameError::BadPrefix);
        }
        value |= bits << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some((index + 1, value)));
        }
    }
    if bytes.len() >= MAX_PREFIX {
        return Err(FrameError::BadPrefix);
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out at most `step` bytes a read.
    struct Trickle<'a> {
        bytes: &'a [u8],
        step: usize,
    }

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let step = self.step.min(buffer.len());
            self.bytes.by_ref().take(step as u64).read(buffer)
        }
    }

    fn framed(messages: &[Vec<u8>]) -> Vec<u8> {
        let mut out = Vec::new();
        for message in messages {
            prost::encoding::encode_varint(message.len() as u64, &mut out);
            out.extend_from_slice(message);
        }
        out
    }

    #[test]
    fn messages_come_out_as_they_went_in_at_any_read_size() {
        let sizes = [
            0,
            1,
            127,
            128,
            5,
            READ_AHEAD - 3,
            17,
            READ_AHEAD,
            3 * READ_AHEAD + 1,
            2,
        ];
        let messages: Vec<Vec<u8>> = sizes.iter().map(|size| vec![*size as u8; *size]).collect();
        let bytes = framed(&messages);
        for step in [1, 2, 3, 1000, READ_AHEAD, usize::MAX] {
            let mut reader = FrameReader::new(
                Trickle {
                    bytes: &bytes,
                    step,
                },
                1 << 20,
            );
            for message in &messages {
                assert_eq!(reader.next().unwrap().unwrap(), message, "step {step}");
            }
            assert!(reader.next().unwrap().is_none());
        }
    }

    #[test]
    fn bad_streams_end_with_the_reason() {
        let cases: [(&[u8], &str); 6] = [
            (&[0x80], "connection ended inside a message"),
            (&[2, 1], "connection ended inside a message"),
            (&[101], "message of 101 bytes is over the limit of 100"),
            (
                &[0x80, 0x80, 0x80, 0x80, 0x80, 0x20],
                "message of 1099511627776 bytes is over",
            ),
            (&[0xff; 10], "message length is not a varint"),
            (&[0x80; 11], "message length is not a varint"),
        ];
        for (bytes, expected) in cases {
            let error = FrameReader::new(bytes, 100).next().unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn the_limit_itself_is_allowed() {
        let bytes = framed(&[vec![7; 100]]);
        assert_eq!(
            FrameReader::new(&bytes[..], 100)
                .next()
                .unwrap()
                .unwrap()
                .len(),
            100
        );
    }

    #[test]
    fn buffered_tells_whether_a_read_would_block() {
        let mut bytes = framed(&[vec![1; 4], vec![2; 4]]);
        bytes.extend_from_slice(&[4, 3]);
        let mut reader = FrameReader::new(&bytes[..], 100);
        assert!(!reader.has_buffered());
        reader.next().unwrap();
        assert!(reader.has_buffered());
        reader.next().unwrap();
        assert!(!reader.has_buffered());
    }

    #[test]
    fn the_message_limit_is_four_blocks_and_8_mib() {
        assert_eq!(message_limit(2 << 20), 16 << 20);
        assert_eq!(message_limit(u64::MAX), usize::MAX);
    }
}
