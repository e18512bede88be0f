//! The OpenAPI document, made from the route tables: what is not routed is not in it, and nothing is routed that it lacks.

mod examples;
mod nouns;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa::openapi::path::Parameter;

use self::examples::{Example, Examples};
use self::nouns::NOUNS;
pub(crate) use self::nouns::{file_of, noun_of};
use crate::route::Endpoint;
use crate::tables::Table;

/// What the schema of a dialect's errors is called.
const ERROR: &str = "Error";

/// Named schemas that operations refer to whose handlers are in one file.
#[derive(Debug, Default)]
pub struct Components(BTreeMap<String, Value>);

impl Components {
    /// The schema of a type, with what it refers to kept here.
    pub fn schema_of<T: ToSchema>(&mut self) -> Value {
        let mut parts = Vec::new();
        T::schemas(&mut parts);
        for (name, schema) in parts {
            self.0.insert(name, to_value(&schema));
        }
        to_value(&T::schema())
    }
}

/// What an input adds to an operation.
#[derive(Debug, Default)]
pub struct OperationDoc {
    components: Components,
    parameters: Vec<Value>,
    body: Option<Value>,
}

impl OperationDoc {
    /// A request body of one type, under each of these content types.
    pub fn body<T: ToSchema>(&mut self, content_types: &[&str]) {
        let schema = self.components.schema_of::<T>();
        let content: Map<String, Value> =
            content_types.iter().map(|name| ((*name).to_owned(), json!({ "schema": schema }))).collect();
        self.body = Some(json!({ "required": true, "content": content }));
    }

    /// A JSON body that may be left out.
    pub fn optional_body<T: ToSchema>(&mut self) {
        let schema = self.components.schema_of::<T>();
        self.body = Some(json!({ "required": false, "content": { "application/json": { "schema": schema } } }));
    }

    /// A JSON body of one type or another.
    pub fn either_body<A: ToSchema, B: ToSchema>(&mut self) {
        let schemas = [self.components.schema_of::<A>(), self.components.schema_of::<B>()];
        let content = json!({ "application/json": { "schema": { "anyOf": schemas } } });
        self.body = Some(json!({ "required": true, "content": content }));
    }

    /// A file as the whole body.
    pub fn file_body(&mut self) {
        let schema = json!({ "type": "string", "format": "binary" });
        self.body = Some(json!({ "required": true, "content": { "application/octet-stream": { "schema": schema } } }));
    }

    /// A form with a file, and with fields that the client was given.
    pub fn form_body(&mut self) {
        let schema = json!({
            "type": "object",
            "required": ["file"],
            "properties": { "file": { "type": "string", "format": "binary" } },
            "additionalProperties": { "type": "string" },
        });
        self.body = Some(json!({ "required": true, "content": { "multipart/form-data": { "schema": schema } } }));
    }

    /// Query, path or header parameters.
    pub fn parameters(&mut self, parameters: Vec<Parameter>) {
        self.parameters.extend(parameters.iter().map(to_value));
    }
}

fn to_value<T: serde::Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_else(|error| panic!("utoipa's own types are JSON: {error}"))
}

/// The whole document.
pub(crate) fn document(tables: &[Table], version: &str) -> Value {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    let mut schemes = Map::new();
    let examples = Examples::new();
    for table in tables {
        // By file: a `ListRequest` of groups is another one than a `ListRequest` of messages.
        let mut files: BTreeMap<&str, Components> = BTreeMap::new();
        for endpoint in &table.endpoints {
            let item = paths.entry(endpoint.path).or_insert_with(|| json!({}));
            for method in endpoint.methods.each() {
                let name = method.as_str().to_ascii_lowercase();
                let components = files.entry(endpoint.file).or_default();
                let operation = operation(table, endpoint, &name, components, &examples);
                item[&name] = scoped(operation, table.dialect, endpoint.file);
            }
        }
        for (file, components) in files {
            for (name, schema) in components.0 {
                schemas.insert(scope(&name, table.dialect, file), scoped(schema, table.dialect, file));
            }
        }
        schemas.insert(scope(ERROR, table.dialect, ""), table.error_schema.clone());
        schemes.extend(table.schemes.iter().map(|(name, scheme)| ((*name).to_owned(), scheme.clone())));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Linnet",
            "version": version,
            "description": about(tables),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "tags": tags(tables),
        "x-tagGroups": tag_groups(tables),
        "paths": paths,
        "components": { "schemas": schemas, "securitySchemes": schemes },
    })
}

fn operation(
    table: &Table,
    endpoint: &Endpoint,
    method: &str,
    components: &mut Components,
    examples: &Examples,
) -> Value {
    let mut doc = OperationDoc { components: std::mem::take(components), ..OperationDoc::default() };
    (endpoint.input)(&mut doc);
    let reply = (endpoint.reply)(&mut doc.components);
    *components = doc.components;
    let mut parameters = table.parameters.clone();
    parameters.extend(doc.parameters);
    let security = endpoint.scheme.map_or_else(|| json!([]), |scheme| json!([{ scheme: [] }]));
    let mut operation = json!({
        "tags": [tag(table.dialect, endpoint.noun)],
        "summary": endpoint.summary,
        "operationId": format!("{}_{method}{}", table.dialect, endpoint.path.replace(['/', '{', '}'], "_")),
        "parameters": parameters,
        "responses": responses(table, endpoint, reply),
        "security": security,
    });
    if !endpoint.description.is_empty() {
        operation["description"] = json!(endpoint.description);
    }
    if let Some(body) = doc.body {
        operation["requestBody"] = body;
    }
    if let Some(example) = examples.of(table.dialect, method, endpoint.path) {
        exemplify(&mut operation, example);
    }
    operation
}

/// Puts an example where the document says what may stand there.
fn exemplify(operation: &mut Value, example: &Example) {
    const JSON: &str = "application/json";
    for parameter in operation["parameters"].as_array_mut().into_iter().flatten() {
        let value = parameter["name"].as_str().and_then(|name| example.query.get(name));
        if let Some(value) = value.filter(|_| parameter["in"] == "query") {
            parameter["example"] = value.parse::<i64>().map_or_else(|_| json!(value), |number| json!(number));
        }
    }
    let places = [("/requestBody/content", &example.request), ("/responses/200/content", &example.reply)];
    for (place, value) in places {
        let content = operation.pointer_mut(place).and_then(|content| content.get_mut(JSON));
        if let (Some(content), Some(value)) = (content, value) {
            content["example"] = value.clone();
        }
    }
}

/// The tag of what a dialect says about a noun.
fn tag(dialect: &str, noun: &str) -> String {
    format!("{dialect}: {noun}")
}

/// The nouns that a dialect's routes are about, in the order of the list.
fn nouns_of(table: &Table) -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    NOUNS.iter().filter(|(noun, _)| table.endpoints.iter().any(|endpoint| endpoint.noun == *noun))
}

fn tags(tables: &[Table]) -> Vec<Value> {
    let of = |table: &Table| {
        let dialect = table.dialect;
        nouns_of(table)
            .map(move |(noun, about)| json!({ "name": tag(dialect, noun), "description": about }))
            .collect::<Vec<_>>()
    };
    tables.iter().flat_map(of).collect()
}

/// Which tags are one dialect's, for viewers that show groups of them.
fn tag_groups(tables: &[Table]) -> Vec<Value> {
    let group = |table: &Table| {
        let tags: Vec<String> = nouns_of(table).map(|(noun, _)| tag(table.dialect, noun)).collect();
        json!({ "name": table.dialect, "tags": tags })
    };
    tables.iter().map(group).collect()
}

fn about(tables: &[Table]) -> String {
    let mut text = "Five documented messaging APIs over one store. One tag per dialect and noun.".to_owned();
    for table in tables {
        text.push_str("\n\n");
        text.push_str(&format!("**{}**: {}", table.dialect, table.about));
    }
    text
}

/// Every status, with the schema of what comes under it. Errors that come with status 200 share it with the good answer.
fn responses(table: &Table, endpoint: &Endpoint, reply: Value) -> Value {
    let error = json!({ "$ref": "#/components/schemas/Error" });
    let errors_at_200 = table.error_statuses.iter().any(|(status, _)| *status == 200);
    let mut responses = Map::new();
    let good = match (reply.is_null(), errors_at_200) {
        (true, _) => json!({ "description": "Done; the body is empty" }),
        (false, true) => json!({
            "description": "Done, or an error told by the code in the body",
            "content": { "application/json": { "schema": { "anyOf": [reply, error] } } },
        }),
        (false, false) => json!({ "description": "Done", "content": { "application/json": { "schema": reply } } }),
    };
    if endpoint.answers.is_empty() {
        responses.insert("200".into(), good);
    } else if errors_at_200 {
        let content = json!({ "application/json": { "schema": error } });
        responses.insert(
            "200".into(),
            json!({ "description": "An error told by the code in the body", "content": content }),
        );
    }
    for answer in endpoint.answers {
        let mut response = json!({ "description": answer.meaning });
        if let Some(content_type) = answer.content_type {
            response["content"] = json!({ content_type: { "schema": { "type": "string", "format": "binary" } } });
        }
        responses.insert(answer.status.to_string(), response);
    }
    for (status, meaning) in table.error_statuses.iter().filter(|(status, _)| *status != 200) {
        let response = json!({ "description": meaning, "content": { "application/json": { "schema": error } } });
        responses.insert(status.to_string(), response);
    }
    Value::Object(responses)
}

/// The name of a schema among all: that of a file's own, or of the errors, which a dialect has one schema for.
fn scope(name: &str, dialect: &str, file: &str) -> String {
    if name == ERROR { format!("{dialect}.{name}") } else { format!("{dialect}.{file}.{name}") }
}

/// A value whose references have the names that the schemas have among all.
fn scoped(value: Value, dialect: &str, file: &str) -> Value {
    const PREFIX: &str = "#/components/schemas/";
    match value {
        Value::Object(map) => {
            Value::Object(map.into_iter().map(|(key, value)| (key, scoped(value, dialect, file))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(|item| scoped(item, dialect, file)).collect()),
        Value::String(text) => match text.strip_prefix(PREFIX) {
            Some(name) => Value::String(format!("{PREFIX}{}", scope(name, dialect, file))),
            None => Value::String(text),
        },
        other => other,
    }
}
