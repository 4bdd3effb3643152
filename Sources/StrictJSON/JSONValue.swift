/// A JSON document as it was written: member order kept, integers apart from other numbers.
///
/// Used wherever a file or request comes from outside. Foundation's decoder takes the last of two equal
/// keys, merges keys that are canonically equivalent Unicode ("é" composed and decomposed are two tokens of
/// a vocabulary, but one Swift `String`), and gives no position for a wrong value.
public enum JSONValue: Sendable, Hashable {
  case null
  case bool(Bool)
  /// A number written without fraction or exponent that fits 64 bits.
  case integer(Int64)
  /// Any other number; always finite.
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object(JSONObject)
}

extension JSONValue {
  public var boolValue: Bool? {
    if case .bool(let value) = self { value } else { nil }
  }
  /// The value of an integer, also when it was written as `4.0`.
  public var intValue: Int? {
    switch self {
    case .integer(let value): Int(exactly: value)
    case .number(let value): Int(exactly: value)
    default: nil
    }
  }
  public var doubleValue: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }
  public var stringValue: String? {
    if case .string(let value) = self { value } else { nil }
  }
  public var arrayValue: [JSONValue]? {
    if case .array(let value) = self { value } else { nil }
  }
  public var objectValue: JSONObject? {
    if case .object(let value) = self { value } else { nil }
  }
  public var isNull: Bool { self == .null }

  /// What the value is, for messages: "a string", "an object", …
  public var kindDescription: String {
    switch self {
    case .null: "null"
    case .bool: "a boolean"
    case .integer: "an integer"
    case .number: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }

  /// The member of that name, nil for other kinds of value.
  public subscript(key: String) -> JSONValue? { objectValue?[key] }
}

/// The members of a JSON object in document order; names are unique and compared byte by byte.
public struct JSONObject: Sendable, Hashable, ExpressibleByDictionaryLiteral {
  public typealias Member = (key: String, value: JSONValue)

  public private(set) var keys: [String] = []
  private var values: [JSONValue] = []
  /// Empty up to `searchedCount` members: most objects of a large file have three, and a search is faster than a table.
  private var positions: [ExactString: Int] = [:]
  private static let searchedCount = 8

  public init() {}

  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    for (key, value) in elements { self[key] = value }
  }

  public var count: Int { keys.count }
  public var isEmpty: Bool { keys.isEmpty }
  public var members: some Sequence<Member> { zip(keys, values).lazy.map { (key: $0, value: $1) } }

  /// The member's value; setting a new name appends it, setting nil removes it.
  public subscript(key: String) -> JSONValue? {
    get { position(of: key).map { values[$0] } }
    set {
      switch (position(of: key), newValue) {
      case (let position?, let value?): values[position] = value
      case (nil, let value?): append(key, value)
      case (let position?, nil): remove(at: position)
      case (nil, nil): break
      }
    }
  }

  /// Adds a member; false if the name is there already.
  @discardableResult
  mutating func append(_ key: String, _ value: JSONValue) -> Bool {
    if keys.count < Self.searchedCount {
      guard position(of: key) == nil else { return false }
    } else {
      if positions.isEmpty { indexPositions() }
      guard positions.updateValue(keys.count, forKey: ExactString(key)) == nil else { return false }
    }
    keys.append(key)
    values.append(value)
    return true
  }

  private func position(of key: String) -> Int? {
    let key = ExactString(key)
    return positions.isEmpty ? keys.firstIndex { ExactString($0) == key } : positions[key]
  }

  private mutating func remove(at position: Int) {
    keys.remove(at: position)
    values.remove(at: position)
    positions = [:]
    if keys.count > Self.searchedCount { indexPositions() }
  }

  private mutating func indexPositions() {
    positions = Dictionary(uniqueKeysWithValues: keys.enumerated().map { (ExactString($1), $0) })
  }

  public static func == (one: JSONObject, other: JSONObject) -> Bool {
    one.keys.elementsEqual(other.keys) { ExactString($0) == ExactString($1) } && one.values == other.values
  }

  public func hash(into hasher: inout Hasher) {
    for key in keys { hasher.combine(ExactString(key)) }
    hasher.combine(values)
  }
}
