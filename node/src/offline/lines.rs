//! Lines of a stream of any length.

use std::io::BufRead;

use super::Failure;

/// Longest line, in bytes. A stream without line ends must not fill the memory.
const MAX_LINE: u64 = 1 << 20;

/// The lines of a stream that are not blank, with their numbers.
pub struct Lines<'a> {
    name: String,
    input: Box<dyn BufRead + 'a>,
    line: Vec<u8>,
    number: u64,
}

impl<'a> Lines<'a> {
    /// `name` is what errors call the stream.
    pub fn new(name: &str, input: Box<dyn BufRead + 'a>) -> Self {
        Self {
            name: name.to_owned(),
            input,
            line: Vec::new(),
            number: 0,
        }
    }

    /// The next line without its end; `None` when there is no more.
    ///
    /// # Errors
    /// When the stream cannot be read, or a line is longer than 1 MiB.
    #[expect(clippy::should_implement_trait, reason = "the line is lent")]
    pub fn next(&mut self) -> Result<Option<&[u8]>, Failure> {
        loop {
            self.line.clear();
            self.number += 1;
            let mut input = std::io::Read::take(&mut self.input, MAX_LINE);
            let read = input.read_until(b'\n', &mut self.line);
            let read = read.map_err(|error| self.failure(&error.to_string()))?;
            if read == 0 {
                return Ok(None);
            }
            if self.line.len() as u64 == MAX_LINE && !self.line.ends_with(b"\n") {
                return Err(self.failure("is longer than 1 MiB"));
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(Some(self.line.trim_ascii()));
            }
        }
    }

    /// An error at the last line.
    pub fn failure(&self, what: &str) -> Failure {
        format!("{}: line {}: {what}", self.name, self.number).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_count_and_are_skipped() {
        let mut lines = Lines::new("in", Box::new("\na\r\n \nb".as_bytes()));
        assert_eq!(lines.next().expect("reads"), Some(b"a".as_slice()));
        assert_eq!(lines.next().expect("reads"), Some(b"b".as_slice()));
        assert_eq!(lines.failure("x").to_string(), "in: line 4: x");
        assert_eq!(lines.next().expect("reads"), None);
    }

    #[test]
    fn endless_lines_are_refused() {
        let mut lines = Lines::new(
            "in",
            Box::new(std::io::BufReader::new(std::io::repeat(b'a'))),
        );
        let error = lines.next().expect_err("refused").to_string();
        assert_eq!(error, "in: line 1: is longer than 1 MiB");
    }
}
