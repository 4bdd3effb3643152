import Foundation
import StrictJSON

/// Says what of a value isn't as a JSON Schema has it (draft 2020-12; the keywords that the document uses, others are complained of).
struct SchemaJudge {
  /// In which references are looked up.
  let document: JSONValue
  /// Only whether there are complaints is asked for.
  private var isBrief = false

  init(document: JSONValue) { self.document = document }

  /// Places and what is wrong there; empty: the value is valid.
  func complaints(_ value: JSONValue, _ schema: JSONValue, at place: String = "") -> [String] {
    if let verdict = schema.boolValue { return verdict ? [] : ["\(place) may not be there"] }
    guard let keywords = schema.objectValue else { return ["\(place): the schema is \(schema.kindDescription)"] }
    return keywords.members.flatMap { keyword, argument in
      complaints(value, keyword, argument, keywords, place)
    }
  }

  func accepts(_ value: JSONValue, _ schema: JSONValue) -> Bool {
    var judge = self
    judge.isBrief = true
    return judge.complaints(value, schema).isEmpty
  }

  /// What a reference such as "#/components/schemas/Job" stands for.
  func resolve(_ reference: String) -> JSONValue? {
    reference.split(separator: "/").dropFirst().reduce(document) { value, name in value?[String(name)] }
  }

  private func complaints(
    _ value: JSONValue, _ keyword: String, _ argument: JSONValue, _ siblings: JSONObject, _ place: String
  ) -> [String] {
    func complaint(_ isRight: Bool) -> [String] {
      isRight ? [] : isBrief ? [place] : ["\(place) is \(value.serialized().prefix(80)): \(keyword) \(argument.serialized().prefix(200))"]
    }
    func schemas() -> [JSONValue] { argument.arrayValue ?? [] }
    switch keyword {
    case "description", "default", "examples", "format", "title", "then", "else", "contentEncoding": return []
    case "$ref":
      guard let target = argument.stringValue.flatMap(resolve) else { return ["\(place): nothing at \(argument.serialized())"] }
      return complaints(value, target, at: place)
    case "type": return complaint((argument.arrayValue ?? [argument]).contains { Self.isOf($0.stringValue ?? "", value) })
    case "enum": return complaint(schemas().contains { Self.areEqual($0, value) })
    case "const": return complaint(Self.areEqual(argument, value))
    case "not": return complaint(!accepts(value, argument))
    case "anyOf": return complaint(schemas().contains { accepts(value, $0) })
    case "oneOf": return complaint(schemas().count { accepts(value, $0) } == 1)
    case "allOf": return schemas().flatMap { complaints(value, $0, at: place) }
    case "if":
      guard let branch = siblings[accepts(value, argument) ? "then" : "else"] else { return [] }
      return complaints(value, branch, at: place)
    case "minimum": return complaint(Self.order(value, argument).map { $0 >= 0 } ?? true)
    case "maximum": return complaint(Self.order(value, argument).map { $0 <= 0 } ?? true)
    case "minLength", "maxLength":
      guard let text = value.stringValue, let limit = argument.intValue else { return [] }
      return complaint(keyword == "minLength" ? text.unicodeScalars.count >= limit : text.unicodeScalars.count <= limit)
    case "pattern":
      guard let text = value.stringValue, let pattern = argument.stringValue else { return [] }
      return complaint(Self.matches(text, pattern))
    case "items": return (value.arrayValue ?? []).enumerated().flatMap { complaints($1, argument, at: "\(place)/\($0)") }
    case "maxItems": return complaint(value.arrayValue.map { $0.count <= argument.intValue ?? 0 } ?? true)
    case "uniqueItems": return complaint(value.arrayValue.map(Self.areDifferent) ?? true)
    default: return objectComplaints(value, keyword, argument, siblings, place) ?? ["\(place): \(keyword) is not known to the tests' judge"]
    }
  }

  private func objectComplaints(
    _ value: JSONValue, _ keyword: String, _ argument: JSONValue, _ siblings: JSONObject, _ place: String
  ) -> [String]? {
    let object = value.objectValue ?? [:]
    switch keyword {
    case "properties":
      return (argument.objectValue ?? [:]).members.flatMap { name, schema in
        object[name].map { complaints($0, schema, at: "\(place)/\(name)") } ?? []
      }
    case "patternProperties":
      return (argument.objectValue ?? [:]).members.flatMap { pattern, schema in
        object.members.filter { Self.matches($0.key, pattern) }.flatMap { complaints($0.value, schema, at: "\(place)/\($0.key)") }
      }
    case "propertyNames": return object.keys.flatMap { complaints(.string($0), argument, at: "\(place)/\($0)") }
    case "additionalProperties":
      let patterns = siblings["patternProperties"]?.objectValue?.keys ?? []
      return object.members.filter { member in
        siblings["properties"]?[member.key] == nil && !patterns.contains { Self.matches(member.key, $0) }
      }.flatMap { complaints($0.value, argument, at: "\(place)/\($0.key)") }
    case "required":
      guard value.objectValue != nil else { return [] }
      return (argument.arrayValue ?? []).compactMap(\.stringValue).filter { object[$0] == nil }.map { "\(place)/\($0) is missing" }
    case "maxProperties": return object.count <= argument.intValue ?? 0 ? [] : ["\(place) has \(object.count) members"]
    default: return nil
    }
  }

  // MARK: Values

  private static func isOf(_ type: String, _ value: JSONValue) -> Bool {
    switch (type, value) {
    case ("null", .null), ("boolean", .bool), ("string", .string), ("array", .array), ("object", .object): true
    case ("number", .integer), ("number", .number), ("integer", .integer): true
    case ("integer", .number(let number)): number.rounded() == number
    default: false
    }
  }

  private static func areEqual(_ one: JSONValue, _ other: JSONValue) -> Bool {
    switch (one, other) {
    case (.integer, .number), (.number, .integer): order(one, other) == 0
    case (.array(let one), .array(let other)): one.count == other.count && zip(one, other).allSatisfy(areEqual)
    case (.object(let one), .object(let other)):
      one.count == other.count && one.members.allSatisfy { name, value in other[name].map { areEqual(value, $0) } ?? false }
    default: one == other
    }
  }

  private static func areDifferent(_ values: [JSONValue]) -> Bool {
    values.indices.allSatisfy { index in !values[..<index].contains { areEqual($0, values[index]) } }
  }

  /// −1, 0 or 1, exactly; nil for what isn't a number.
  private static func order(_ one: JSONValue, _ other: JSONValue) -> Int? {
    switch (one, other) {
    case (.integer(let one), .integer(let other)): one < other ? -1 : one > other ? 1 : 0
    case (.number(let one), .number(let other)): one < other ? -1 : one > other ? 1 : 0
    case (.integer, .number): order(other, one).map { -$0 }
    case (.number(let one), .integer(let other)):
      if one >= 0x1p63 {
        1
      } else if one < -0x1p63 {
        -1
      } else {
        order(whole: Int64(one.rounded(.down)), hasPart: one.rounded() != one, other)
      }
    default: nil
    }
  }

  private static func order(whole: Int64, hasPart: Bool, _ other: Int64) -> Int { whole < other ? -1 : whole > other || hasPart ? 1 : 0 }

  private static func matches(_ text: String, _ pattern: String) -> Bool {
    lock.withLock {
      if expressions[pattern] == nil { expressions[pattern] = try? Regex(pattern).matchingSemantics(.unicodeScalar).asciiOnlyDigits() }
      return expressions[pattern].map { text.firstMatch(of: $0) != nil } ?? false
    }
  }

  /// Making one takes much longer than using it.
  nonisolated(unsafe) private static var expressions: [String: Regex<AnyRegexOutput>] = [:]  // reason: under the lock
  private static let lock = NSLock()
}
