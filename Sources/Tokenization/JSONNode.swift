import StrictJSON

/// A value inside tokenizer.json that knows where it is, so that errors can say so.
struct JSONNode {
  let value: JSONValue
  /// JSON pointer (RFC 6901); the whole document is "".
  let path: String

  /// The member of that name; nil if it is absent or null.
  func optional(_ name: String) -> JSONNode? {
    guard let value = value[name], !value.isNull else { return nil }
    return JSONNode(value: value, path: path(of: name))
  }

  func required(_ name: String) throws(TokenizerError) -> JSONNode {
    guard let node = optional(name) else { throw .missing(path: path(of: name)) }
    return node
  }

  func bool(_ name: String, default fallback: Bool) throws(TokenizerError) -> Bool {
    guard let node = optional(name) else { return fallback }
    guard let bool = node.value.boolValue else { throw node.wrongKind(expected: "a boolean") }
    return bool
  }

  func string() throws(TokenizerError) -> String {
    guard let string = value.stringValue else { throw wrongKind(expected: "a string") }
    return string
  }

  func object() throws(TokenizerError) -> JSONObject {
    guard let object = value.objectValue else { throw wrongKind(expected: "an object") }
    return object
  }

  func elements() throws(TokenizerError) -> [JSONNode] {
    guard let elements = value.arrayValue else { throw wrongKind(expected: "an array") }
    return elements.enumerated().map { JSONNode(value: $1, path: "\(path)/\($0)") }
  }

  /// A token id: 0 to 2³¹ − 2, so that the size of the vocabulary is an Int32 too.
  func tokenID() throws(TokenizerError) -> Int32 {
    guard let integer = value.intValue else { throw wrongKind(expected: "an integer") }
    guard let id = Int32(exactly: integer), id >= 0, id < .max else {
      throw .invalid(path: path, reason: "\(integer) is not a token id, which is 0 to \(Int32.max - 1)")
    }
    return id
  }

  /// Fails if the object has a member that isn't listed: its effect would be lost.
  func allowOnly(_ names: Set<String>) throws(TokenizerError) {
    for name in try object().keys where !names.contains(name) {
      throw .unsupported(path: path(of: name), feature: "the member \"\(name)\"")
    }
  }

  func path(of name: String) -> String {
    var escaped = path + "/"
    for scalar in name.unicodeScalars {
      switch scalar {
      case "~": escaped += "~0"
      case "/": escaped += "~1"
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }

  func wrongKind(expected: String) -> TokenizerError {
    .wrongKind(path: path, expected: expected, found: value.kindDescription)
  }
}
