import HTTPTypes
import JobModel
import StrictJSON

/// What the document says of a route.
struct Operation: Sendable {
  let method: HTTPRequest.Method
  /// With parameters in braces, such as "/v1/jobs/{id}".
  let path: String
  /// Name of the operation in generated clients.
  let id: String
  let summary: String
  var description: String?
  var parameters: [Parameter] = []
  var body: Body?
  let answers: [Answer]
  /// By status, besides those that every operation may have.
  var errors: [Int: [Problem.Code]] = [:]
  /// No token is needed.
  var isOpen = false

  struct Parameter: Sendable {
    enum Place: String, Sendable { case path, query, header }

    let place: Place
    let name: String
    let schema: Schema
    let description: String

    static func path(_ name: String, _ description: String) -> Parameter { .path(name, .text, description) }

    static func path(_ name: String, _ schema: Schema, _ description: String) -> Parameter {
      Parameter(place: .path, name: name, schema: schema, description: description)
    }

    static func query(_ name: String, _ description: String) -> Parameter { .query(name, .text, description) }

    static func query(_ name: String, _ schema: Schema, _ description: String) -> Parameter {
      Parameter(place: .query, name: name, schema: schema, description: description)
    }

    static func header(_ name: String, _ description: String) -> Parameter { .header(name, .text, description) }

    static func header(_ name: String, _ schema: Schema, _ description: String) -> Parameter {
      Parameter(place: .header, name: name, schema: schema, description: description)
    }
  }

  struct Body: Sendable {
    /// By media type.
    let content: KeyValuePairs<String, Schema>
    var description: String?
    var isRequired = true
    /// By name.
    var examples: KeyValuePairs<String, JSONValue> = [:]

    static func json(
      _ schema: Schema, _ description: String? = nil, isRequired: Bool = true, examples: KeyValuePairs<String, JSONValue> = [:]
    ) -> Body {
      Body(content: ["application/json": schema], description: description, isRequired: isRequired, examples: examples)
    }
  }

  /// An answer that isn't an error.
  struct Answer: Sendable {
    let status: Int
    let description: String
    /// By media type.
    var content: KeyValuePairs<String, Schema> = [:]
    var headers: [Header] = []
    var links: [Link] = []

    static func json(_ schema: Schema, _ description: String, status: Int = 200, headers: [Header] = [], links: [Link] = []) -> Answer {
      Answer(status: status, description: description, content: ["application/json": schema], headers: headers, links: links)
    }

    static let notModified = Answer(status: 304, description: "The client has it: `If-None-Match` names its `ETag`.", headers: [.eTag])
  }

  struct Header: Sendable {
    let name: String
    let schema: Schema
    let description: String
    var isAlwaysThere = true

    static let eTag = Header(name: "ETag", schema: .text(pattern: "^\"[^\"]+\"$"), description: "Strong (RFC 9110, section 8.8.3).")
  }

  /// Where else a part of an answer can be used (OpenAPI's link objects).
  struct Link: Sendable {
    let name: String
    let operation: String
    /// Parameter to runtime expression.
    let parameters: KeyValuePairs<String, String>
  }
}
