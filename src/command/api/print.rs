//! Where an answer goes: stdout, indented at a terminal, or a file that appears whole.

use std::mem;

use super::super::Run;
use super::super::delivery::spare_settings;
use super::Args;
use crate::error::Result;
use crate::json::indented;
use crate::lifecycle::Answer;
use crate::output::file::Replacement;
use crate::output::stdout::{self, StdoutStream};
use crate::settings::Sources;

/// How much is held back to be indented, in bytes; more passes as it is.
const HELD_MAX: usize = 1024 * 1024;

pub enum Out {
    Stdout {
        stream: StdoutStream,
        /// Whether to use colour, where a person reads along.
        color: Option<bool>,
    },
    File(Box<Replacement>),
}

impl Out {
    /// Proves before anything is sent that a file can be written.
    pub async fn open(args: &Args, run: &Run<'_>, sources: &Sources) -> Result<Self> {
        Ok(match &args.output {
            Some(path) if path.as_os_str() != "-" => {
                spare_settings("-o", path, sources)?;
                Self::File(Box::new(Replacement::open(path.clone()).await?))
            }
            _ => Self::Stdout {
                stream: StdoutStream::default(),
                color: stdout::is_terminal().then_some(run.color),
            },
        })
    }

    pub async fn write(&mut self, bytes: Vec<u8>) -> Result<()> {
        match self {
            Self::Stdout { stream, .. } => stream.write(bytes).await,
            Self::File(file) => file.add(&bytes),
        }
    }

    /// Writes JSON of others for whoever reads it.
    async fn write_json(&mut self, text: Vec<u8>) -> Result<()> {
        let readable = self.indented(&text);
        self.write(readable.map_or(text, String::into_bytes)).await
    }

    /// Writes what stands between the brackets of an array.
    pub async fn write_rows(&mut self, array: &str) -> Result<()> {
        let readable = self.indented(array.as_bytes());
        let rows = readable.as_deref().unwrap_or(array).trim();
        let rows = rows.strip_prefix('[').unwrap_or(rows);
        let rows = rows.strip_suffix(']').unwrap_or(rows);
        let rows = rows.trim_matches(['\r', '\n']);
        self.write(rows.as_bytes().to_vec()).await
    }

    fn indented(&self, text: &[u8]) -> Option<String> {
        match self {
            Self::Stdout { color, .. } => indented(text, (*color)?),
            Self::File(_) => None,
        }
    }

    /// Ends the answer; a file takes its place only if the answer is `whole`.
    pub async fn end(self, whole: bool, run: &Run<'_>) -> Result<()> {
        match self {
            Self::Stdout { mut stream, .. } => stream.end_line().await,
            Self::File(file) if whole => {
                run.report.warn_of_all(file.write(&[])?);
            }
            Self::File(_) => {}
        }
        Ok(())
    }

    /// Passes an answer on as it comes, byte for byte unless a person reads along.
    pub async fn pass_on(&mut self, include: bool, answer: &mut Answer) -> Result<()> {
        if include {
            self.write(answer.response.head().into_bytes()).await?;
        }
        let mut held = answer.response.body.clone();
        let mut holds = matches!(self, Self::Stdout { color: Some(_), .. });
        loop {
            holds &= held.len() <= HELD_MAX;
            if !holds {
                self.write(mem::take(&mut held)).await?;
            }
            let next = match answer.broken.take() {
                Some(error) => Err(error),
                None => answer.response.next().await,
            };
            match next {
                Ok(Some(part)) => {
                    answer.keep(&part);
                    held.extend(part);
                }
                Ok(None) if holds => return self.write_json(held).await,
                Ok(None) => return Ok(()),
                Err(error) => {
                    self.write(held).await?;
                    return Err(error);
                }
            }
        }
    }
}
