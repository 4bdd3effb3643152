import StrictJSON

/// A JSON Schema (draft 2020-12), which is what OpenAPI 3.1 has for schemas.
struct Schema: Sendable {
  private var keywords: JSONObject

  init(_ keywords: JSONObject = [:]) { self.keywords = keywords }

  var json: JSONValue { .object(keywords) }

  subscript(keyword: String) -> JSONValue? { keywords[keyword] }

  /// The schema with one keyword more, or another value for it; nil leaves it as it is.
  func with(_ keyword: String, _ value: JSONValue?) -> Schema {
    guard let value else { return self }
    var schema = self
    schema.keywords[keyword] = value
    return schema
  }

  func described(_ text: String?) -> Schema { with("description", text.map(JSONValue.string)) }

  /// What it means to leave the member out.
  func withDefault(_ value: JSONValue) -> Schema { with("default", value) }

  /// Null too.
  var orNull: Schema {
    guard let type = keywords["type"] else { return .any(of: [self, .null]) }
    let schema = with("type", .array([type, "null"]))
    guard let choices = keywords["enum"]?.arrayValue else { return schema }
    return schema.with("enum", .array(choices + [.null]))
  }
}

extension Schema {
  /// Any JSON.
  static let anything = Schema()
  static let null = Schema(["type": "null"])
  static let boolean = Schema(["type": "boolean"])
  static let number = Schema(["type": "number"])
  static let integer = Schema(["type": "integer"])
  static let text = Schema(["type": "string"])

  static func number(_ range: ClosedRange<Double>) -> Schema {
    number.with("minimum", .number(range.lowerBound)).with("maximum", .number(range.upperBound))
  }

  static func integer(_ range: ClosedRange<Int>) -> Schema {
    integer(range.lowerBound...).with("maximum", .integer(Int64(range.upperBound)))
  }

  static func integer(_ range: PartialRangeFrom<Int>) -> Schema { integer.with("minimum", .integer(Int64(range.lowerBound))) }

  /// Numbers of things.
  static let count = integer(0...)
  /// Numbers that rows have.
  static let sequence = integer(0...Int.max)

  /// - Parameters:
  ///   - pattern: ECMA-262, anchored where it has to be.
  ///   - characters: Unicode scalars.
  static func text(pattern: String? = nil, characters: ClosedRange<Int>? = nil, format: String? = nil) -> Schema {
    text.with("format", format.map(JSONValue.string)).with("pattern", pattern.map(JSONValue.string))
      .with("minLength", characters.map { .integer(Int64($0.lowerBound)) })
      .with("maxLength", characters.map { .integer(Int64($0.upperBound)) })
  }

  static let time = text(format: "date-time")
  static let sha256 = text(pattern: "^[0-9a-f]{64}$")

  /// One of the cases that the Swift type has.
  static func choice<Choice: RawRepresentable & CaseIterable>(of type: Choice.Type) -> Schema where Choice.RawValue == String {
    text.with("enum", .array(type.allCases.map { .string($0.rawValue) }))
  }

  static func constant(_ text: String) -> Schema { Schema(["const": .string(text)]) }

  static func list(of element: Schema, atMost limit: Int? = nil) -> Schema {
    Schema(["type": "array", "items": element.json]).with("maxItems", limit.map { .integer(Int64($0)) })
  }

  /// An object with these members and no others.
  static func object(_ members: [Member]) -> Schema {
    var properties = JSONObject()
    for member in members { properties[member.name] = member.schema.json }
    let required = members.filter(\.isRequired).map { JSONValue.string($0.name) }
    return Schema(["type": "object", "properties": .object(properties)])
      .with("required", required.isEmpty ? nil : .array(required))
      .with("additionalProperties", false)
  }

  /// What an object's members must be where they are there; it may have others.
  static func members(_ schemas: KeyValuePairs<String, Schema>, required: [String] = []) -> Schema {
    var properties = JSONObject()
    for (name, schema) in schemas { properties[name] = schema.json }
    return Schema(["properties": .object(properties)]).with("required", required.isEmpty ? nil : .array(required.map(JSONValue.string)))
  }

  /// A schema of the document's components.
  static func reference(_ name: String) -> Schema { Schema(["$ref": .string("#/components/schemas/" + name)]) }

  static func any(of schemas: [Schema]) -> Schema { Schema(["anyOf": .array(schemas.map(\.json))]) }

  static func one(of schemas: [Schema]) -> Schema { Schema(["oneOf": .array(schemas.map(\.json))]) }
}

/// A member of an object.
struct Member: Sendable {
  let name: String
  let schema: Schema
  let isRequired: Bool

  static func required(_ name: String, _ schema: Schema, _ description: String? = nil) -> Member {
    Member(name: name, schema: schema.described(description), isRequired: true)
  }

  static func optional(_ name: String, _ schema: Schema, _ description: String? = nil) -> Member {
    Member(name: name, schema: schema.described(description), isRequired: false)
  }
}
