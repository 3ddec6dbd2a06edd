//! `storage doc find`.

use std::str::FromStr;

use clap::Args;
use storage_core::bson::{Bson, RawDocumentBuf};
use storage_core::value::Style;
use storage_core::{Document, FieldPath, Filter, Query};

use super::{documents, json};
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::session::Session;

/// All conditions must hold. A field inside another is written address.city; a value is JSON.
#[derive(Debug, Args)]
pub(crate) struct Find {
    /// The collection
    collection: String,
    /// The field equals the value, or is an array with such an element
    #[arg(long, value_name = "FIELD=JSON")]
    eq: Vec<Operand>,
    /// The field is there and not equal
    #[arg(long, value_name = "FIELD=JSON")]
    ne: Vec<Operand>,
    /// The field is less, within one type
    #[arg(long, value_name = "FIELD=JSON")]
    lt: Vec<Operand>,
    /// Less or equal
    #[arg(long, value_name = "FIELD=JSON")]
    le: Vec<Operand>,
    /// Greater
    #[arg(long, value_name = "FIELD=JSON")]
    gt: Vec<Operand>,
    /// Greater or equal
    #[arg(long, value_name = "FIELD=JSON")]
    ge: Vec<Operand>,
    /// The field equals one of the values of a JSON array
    #[arg(long = "in", value_name = "FIELD=[JSON,…]")]
    is_in: Vec<Operand>,
    /// The field is a string that begins so; the text needs no quotes
    #[arg(long, value_name = "FIELD=TEXT")]
    prefix: Vec<Operand>,
    /// The field is there, be it null
    #[arg(long, value_name = "FIELD")]
    exists: Vec<String>,
    /// The field is not there
    #[arg(long, value_name = "FIELD")]
    missing: Vec<String>,
    /// Order by this field, the greatest first with a - before it; several in the order given
    #[arg(long, value_name = "[-]FIELD", allow_hyphen_values = true)]
    sort: Vec<String>,
    /// At most so many
    #[arg(long, value_name = "NUMBER")]
    limit: Option<u64>,
    /// Read every document where no index answers the query
    #[arg(long)]
    allow_scan: bool,
    /// Print how the query would be answered instead
    #[arg(long)]
    explain: bool,
    /// Print how many documents match instead
    #[arg(long, conflicts_with = "explain")]
    count: bool,
}

/// `field=text`.
#[derive(Debug, Clone)]
struct Operand {
    field: FieldPath,
    text: String,
}

/// How a field is compared with a value.
type Compare = fn(FieldPath, Bson) -> Query;

impl FromStr for Operand {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((field, text)) if !field.is_empty() => Ok(Self {
                field: field.into(),
                text: text.to_owned(),
            }),
            _ => Err("it is written FIELD=VALUE".into()),
        }
    }
}

impl Find {
    pub(super) async fn run(self, session: &Session, output: &mut Output) -> Result<()> {
        let query = self.query()?;
        session
            .with_storage(async |storage| {
                let documents = documents(storage, &self.collection);
                if self.explain {
                    return output.json(&documents.explain(query).await?);
                }
                if self.count {
                    return output.line(documents.count(query).await?);
                }
                let mut found = documents.find(query).await?;
                while let Some(document) = found.next().await? {
                    output.line(line(&document)?)?;
                }
                output.flush()
            })
            .await
    }

    fn query(&self) -> Result<Query> {
        let mut filter = Filter::All;
        let comparisons: [(&[Operand], Compare); 6] = [
            (&self.eq, Query::eq),
            (&self.ne, Query::ne),
            (&self.lt, Query::lt),
            (&self.le, Query::le),
            (&self.gt, Query::gt),
            (&self.ge, Query::ge),
        ];
        for (operands, compare) in comparisons {
            for Operand { field, text } in operands {
                filter = filter.and(compare(field.clone(), json::value(text)?).into());
            }
        }
        for Operand { field, text } in &self.is_in {
            let Bson::Array(values) = json::value(text)? else {
                return Err(Failure::Usage(format!("--in takes a JSON array, not {text:?}")));
            };
            filter = filter.and(Query::is_in(field.clone(), values).into());
        }
        for Operand { field, text } in &self.prefix {
            filter = filter.and(Query::prefix(field.clone(), text).into());
        }
        for (fields, there) in [(&self.exists, true), (&self.missing, false)] {
            for field in fields {
                filter = filter.and(Query::exists(field, there).into());
            }
        }
        let mut query = Query::filter(filter);
        for field in &self.sort {
            query = match field.strip_prefix('-') {
                Some(field) => query.sort_descending(field),
                None => query.sort(field),
            };
        }
        if let Some(limit) = self.limit {
            query = query.limit(limit);
        }
        Ok(if self.allow_scan {
            query.allow_scan()
        } else {
            query
        })
    }
}

/// `{"id":…,"version":…,"value":…}`, the value in the JSON documents have at rest.
fn line(document: &Document<RawDocumentBuf>) -> Result<String> {
    let value = json::text(&document.value, Style::Compact)?;
    let id = serde_json::Value::from(document.id.as_str());
    let version = serde_json::Value::from(document.version.to_string());
    Ok(format!("{{\"id\":{id},\"version\":{version},\"value\":{value}}}"))
}
