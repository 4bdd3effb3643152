import Foundation
import StrictJSON
import Testing
import Tokenization

/// Reference data: `<family>/` holds a tokenizer.json and what the `tokenizers` library 0.22 makes of some texts;
/// `variants.json` changes members of such a file, with the results of the library's version 0.23.3.
enum Fixtures {
  struct Case: Sendable {
    let text: String
    let ids: [Int32]
    let idsWithSpecial: [Int32]
  }

  struct Variant: Sendable, CustomTestStringConvertible {
    let name: String
    let tokenizer: JSONValue
    let cases: [Case]
    var testDescription: String { name }
  }

  static func json(_ path: String) throws -> JSONValue {
    let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/\(path)")
    return try JSONValue(parsing: Array(try Data(contentsOf: url)))
  }

  static func cases(of family: String) throws -> [Case] { try cases(in: json("\(family)/expected.json")) }

  static func variants() throws -> [Variant] {
    try #require(json("variants.json").arrayValue).map { variant in
      let base = try #require(variant["base"]?.stringValue)
      var file = try #require(json("\(base)/tokenizer.json").objectValue)
      for (name, change) in try #require(variant["changes"]?.objectValue).members {
        // The model keeps its vocabulary: only the members that are given change.
        if name == "model", var model = file[name]?.objectValue {
          for (name, change) in try #require(change.objectValue).members { model[name] = change }
          file[name] = .object(model)
        } else {
          file[name] = change
        }
      }
      return Variant(
        name: try #require(variant["name"]?.stringValue), tokenizer: .object(file),
        cases: try cases(in: try #require(variant["cases"])))
    }
  }

  private static func cases(in json: JSONValue) throws -> [Case] {
    try #require(json.arrayValue).map { value in
      Case(
        text: try #require(value["text"]?.stringValue), ids: try ids(value["ids"]), idsWithSpecial: try ids(value["ids_with_special"]))
    }
  }

  private static func ids(_ value: JSONValue?) throws -> [Int32] {
    try #require(value?.arrayValue).map { Int32(try #require($0.intValue)) }
  }

  /// `json(path)` with one member, at a path of member names, set to what `value` is the JSON of.
  static func json(_ path: String, changing member: String, to value: String) throws -> JSONValue {
    try changing(json(path), member, to: value)
  }

  static func changing(_ json: JSONValue, _ member: String, to value: String) throws -> JSONValue {
    var object = try #require(json.objectValue)
    let names = member.split(separator: "/", maxSplits: 1).map(String.init)
    let replacement = try names.count == 1 ? JSONValue(parsing: value) : changing(try #require(object[names[0]]), names[1], to: value)
    object[names[0]] = replacement
    return .object(object)
  }
}
