//! A gzip stream: a sequence of members, with zeros between them and after the last.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// The content of a gzip stream.
pub(crate) struct Members<R> {
    /// At the start of a member or of zeros.
    between: Option<R>,
    member: Option<GzDecoder<R>>,
    begun: u64,
    most: Option<u64>,
}

/// The stream has more members than allowed.
#[derive(Debug, thiserror::Error)]
#[error("it has more than {0} members")]
pub(crate) struct TooMany(u64);

impl<R: BufRead> Members<R> {
    /// All members of a stream.
    pub(crate) fn new(reader: R) -> Self {
        Self { between: Some(reader), member: None, begun: 0, most: None }
    }

    /// As [`Self::new`], but more members than this are an error: a [`TooMany`].
    pub(crate) fn at_most(self, most: u64) -> Self {
        Self { most: Some(most), ..self }
    }

    /// Begins the next member, if there is one.
    fn begin(&mut self) -> io::Result<()> {
        let Some(mut reader) = self.between.take() else { return Ok(()) };
        loop {
            let ahead = reader.fill_buf()?;
            if ahead.is_empty() {
                return Ok(());
            }
            let zeros = match self.begun {
                0 => 0,
                _ => ahead.iter().take_while(|&&byte| byte == 0).count(),
            };
            let all = zeros == ahead.len();
            reader.consume(zeros);
            if !all {
                break;
            }
        }
        self.begun += 1;
        if let Some(most) = self.most.filter(|most| self.begun > *most) {
            return Err(io::Error::other(TooMany(most)));
        }
        self.member = Some(GzDecoder::new(reader));
        Ok(())
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.member.is_none() {
                self.begin()?;
            }
            let Some(member) = &mut self.member else { return Ok(0) };
            let read = member.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            self.between = self.member.take().map(GzDecoder::into_inner);
        }
    }
}
