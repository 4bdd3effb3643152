import StrictJSON

/// Typed access to config.json's members.
struct ConfigurationFields {
  private let object: JSONObject
  /// Names of the objects that this one is in, for messages.
  private let path: String

  init(_ object: JSONObject, path: String = "") {
    self.object = object
    self.path = path
  }

  private func member(_ name: String) -> JSONValue? { object[name].flatMap { $0.isNull ? nil : $0 } }

  private func invalid(_ name: String, _ expected: String, _ value: JSONValue) -> ModelError {
    .invalidField(path + name, expected: expected, found: String(value.serialized().prefix(80)))
  }

  /// The field is there, be it null.
  func has(_ name: String) -> Bool { object[name] != nil }

  /// The field is there and not null.
  func gives(_ name: String) -> Bool { member(name) != nil }

  func string(_ name: String) throws(ModelError) -> String {
    guard let string = try optionalString(name) else { throw .missingField(path + name) }
    return string
  }

  func optionalString(_ name: String) throws(ModelError) -> String? {
    guard let value = member(name) else { return nil }
    guard let string = value.stringValue else { throw invalid(name, "a string", value) }
    return string
  }

  /// A size; limited so that products of two can't overflow.
  func count(_ name: String, limit: Int = 1 << 28) throws(ModelError) -> Int {
    guard let count = try optionalCount(name, limit: limit) else { throw .missingField(path + name) }
    return count
  }

  func optionalCount(_ name: String, from least: Int = 1, limit: Int = 1 << 28) throws(ModelError) -> Int? {
    guard let value = member(name) else { return nil }
    guard let count = value.intValue, (least...limit).contains(count) else {
      throw invalid(name, "an integer from \(least) to \(limit)", value)
    }
    return count
  }

  func positive(_ name: String, default fallback: Double) throws(ModelError) -> Double {
    try optionalPositive(name) ?? fallback
  }

  func optionalPositive(_ name: String) throws(ModelError) -> Double? {
    guard let value = member(name) else { return nil }
    guard let number = value.doubleValue, number > 0, number.isFinite else { throw invalid(name, "a positive number", value) }
    return number
  }

  func positives(_ name: String, count: Int) throws(ModelError) -> [Double] {
    guard let value = member(name) else { throw .missingField(path + name) }
    let numbers = value.arrayValue?.compactMap(\.doubleValue).filter { $0 > 0 && $0.isFinite } ?? []
    guard numbers.count == count, value.arrayValue?.count == count else { throw invalid(name, "\(count) positive numbers", value) }
    return numbers
  }

  func bool(_ name: String, default fallback: Bool) throws(ModelError) -> Bool {
    guard let value = member(name) else { return fallback }
    guard let bool = value.boolValue else { throw invalid(name, "true or false", value) }
    return bool
  }

  /// One of some words.
  func choice<Choice: RawRepresentable & CaseIterable>(
    _ name: String, default fallback: Choice
  ) throws(ModelError) -> Choice where Choice.RawValue == String {
    guard let value = member(name) else { return fallback }
    guard let choice = value.stringValue.flatMap(Choice.init(rawValue:)) else {
      let known = Choice.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
      throw .unsupported(field: path + name, value: String(value.serialized().prefix(80)), advice: "known are \(known)")
    }
    return choice
  }

  /// An array of words, as many as there are blocks.
  func strings(_ name: String, count: Int) throws(ModelError) -> [String]? {
    guard let value = member(name) else { return nil }
    let strings = value.arrayValue?.compactMap(\.stringValue) ?? []
    guard strings.count == count, value.arrayValue?.count == count else { throw invalid(name, "\(count) strings", value) }
    return strings
  }

  /// An array of positions.
  func indices(_ name: String, below limit: Int) throws(ModelError) -> [Int] {
    guard let value = member(name) else { return [] }
    let indices = value.arrayValue?.compactMap(\.intValue).filter { (0..<limit).contains($0) } ?? []
    guard value.arrayValue?.count == indices.count else { throw invalid(name, "integers from 0 to \(limit - 1)", value) }
    return indices
  }

  func nested(_ name: String) throws(ModelError) -> ConfigurationFields? {
    guard let value = member(name) else { return nil }
    guard let object = value.objectValue else { throw invalid(name, "an object", value) }
    return ConfigurationFields(object, path: path + name + ".")
  }
}
