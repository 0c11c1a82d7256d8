//! A reader of plain `jsonl` lines, several times as fast as a general one. It reads what programs
//! usually write and gives up on anything else: escapes, fractions, unknown or repeated fields, and
//! all that is wrong. Those lines are for the general reader.

use super::line::{Line, Op, SideName, TifName};

struct Scanner<'a> {
    rest: &'a [u8],
}

/// Reads a line; `None` when it is not plain.
pub(super) fn scan(text: &[u8]) -> Option<Line> {
    let mut scanner = Scanner { rest: text };
    let (mut op, mut id, mut market, mut account) = (None, None, None, None);
    let (mut side, mut price, mut qty, mut limit, mut tif) = (None, None, None, None, None);
    scanner.token(b'{')?;
    loop {
        scanner.token(b'"')?;
        let field = scanner.string()?;
        scanner.token(b':')?;
        scanner.space();
        match field {
            b"op" => once(&mut op, scanner.op()?)?,
            b"id" => once(&mut id, scanner.unsigned()?)?,
            b"market" => once(&mut market, scanner.unsigned()?)?,
            b"account" => once(&mut account, scanner.unsigned()?)?,
            b"side" => once(&mut side, scanner.side()?)?,
            b"price" => once(&mut price, scanner.signed()?)?,
            b"qty" => once(&mut qty, scanner.signed()?)?,
            b"limit" => once(&mut limit, scanner.signed()?)?,
            b"tif" => once(&mut tif, scanner.tif()?)?,
            _ => return None,
        }
        scanner.space();
        match scanner.byte()? {
            b',' => {}
            b'}' => break,
            _ => return None,
        }
    }
    scanner.space();
    scanner.rest.is_empty().then_some(Line {
        op: op?,
        id: id?,
        market: market.unwrap_or(0),
        side,
        price,
        qty,
        limit,
        tif,
        account: account.unwrap_or(0),
    })
}

fn once<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}

impl<'a> Scanner<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn space(&mut self) {
        while let [b' ' | b'\t' | b'\r' | b'\n', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    /// A byte after any white space.
    fn token(&mut self, expected: u8) -> Option<()> {
        self.space();
        (self.byte()? == expected).then_some(())
    }

    /// What stands before the next quote. A string with an escape is none of the names below.
    fn string(&mut self) -> Option<&'a [u8]> {
        let end = self.rest.iter().position(|byte| *byte == b'"')?;
        let (text, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest.get(1..)?;
        Some(text)
    }

    fn name(&mut self) -> Option<&'a [u8]> {
        match self.byte()? {
            b'"' => self.string(),
            _ => None,
        }
    }

    fn op(&mut self) -> Option<Op> {
        match self.name()? {
            b"add" => Some(Op::Add),
            b"market" => Some(Op::Market),
            b"cancel" => Some(Op::Cancel),
            b"amend" => Some(Op::Amend),
            _ => None,
        }
    }

    fn side(&mut self) -> Option<SideName> {
        match self.name()? {
            b"buy" => Some(SideName::Buy),
            b"sell" => Some(SideName::Sell),
            _ => None,
        }
    }

    fn tif(&mut self) -> Option<TifName> {
        match self.name()? {
            b"gtc" => Some(TifName::Gtc),
            b"ioc" => Some(TifName::Ioc),
            b"fok" => Some(TifName::Fok),
            b"post_only" => Some(TifName::PostOnly),
            _ => None,
        }
    }

    /// Digits without leading zeros.
    fn unsigned(&mut self) -> Option<u64> {
        let first = self.byte()?;
        let mut number = u64::from(digit(first)?);
        while let Some(next) = self.rest.first().copied().and_then(digit) {
            if first == b'0' {
                return None;
            }
            number = number.checked_mul(10)?.checked_add(u64::from(next))?;
            self.byte();
        }
        Some(number)
    }

    fn signed(&mut self) -> Option<i64> {
        match self.rest {
            // Minus zero is a fraction to the general reader.
            [b'-', b'0', ..] => None,
            [b'-', rest @ ..] => {
                self.rest = rest;
                0_i64.checked_sub_unsigned(self.unsigned()?)
            }
            _ => i64::try_from(self.unsigned()?).ok(),
        }
    }
}

fn digit(byte: u8) -> Option<u8> {
    byte.is_ascii_digit().then(|| byte - b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: [&str; 6] = [
        r#"{"op":"add","id":7,"market":0,"side":"buy","price":100,"qty":5,"tif":"gtc","account":3}"#,
        r#" { "op" : "add" , "id":0,"side":"sell","price":-9223372036854775808,"qty":1,"tif":"post_only"}"#,
        r#"{"op":"add","id":18446744073709551615,"side":"buy","price":9223372036854775807,"qty":1,"tif":"fok"}"#,
        r#"{"op":"market","id":8,"market":12,"side":"sell","qty":2,"limit":90}"#,
        r#"{"op":"cancel","id":7}"#,
        r#"{"op":"amend","id":7,"price":-101,"qty":4,"tif":"ioc"}"#,
    ];

    fn general(text: &[u8]) -> Option<Line> {
        serde_json::from_slice(text).ok()
    }

    #[test]
    fn plain_lines_are_read_as_the_general_reader_reads_them() {
        for line in LINES {
            let scanned = scan(line.as_bytes());
            assert!(scanned.is_some(), "{line}");
            assert_eq!(scanned, general(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn what_is_read_of_damaged_lines_is_right() {
        let bytes = br#" 0129-+.e",:{}[]\tunxz"#;
        let mut read = 0;
        for line in LINES {
            for at in 0..line.len() {
                for byte in bytes {
                    let [mut replaced, mut inserted] = [line.as_bytes().to_vec(), line.into()];
                    replaced[at] = *byte;
                    inserted.insert(at, *byte);
                    let cut = line.as_bytes()[..at].to_vec();
                    for text in [replaced, inserted, cut] {
                        if let Some(line) = scan(&text) {
                            read += 1;
                            let shown = String::from_utf8_lossy(&text);
                            assert_eq!(Some(line), general(&text), "{shown}");
                        }
                    }
                }
            }
        }
        assert!(read > 100, "{read}");
    }
}
