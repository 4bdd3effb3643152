import StrictJSON

/// Reads the members of a JSON object and collects what is wrong with them, each with its JSON pointer (RFC 6901).
struct RequestReader {
  let object: JSONObject
  let pointer: String
  private(set) var known: Set<String> = []
  private(set) var errors: [Problem.FieldError] = []

  init(_ object: JSONObject, at pointer: String) {
    self.object = object
    self.pointer = pointer
  }

  mutating func report(_ field: String, _ detail: String) { report(at: pointer(to: field), detail) }

  /// - Parameter place: JSON pointer.
  mutating func report(at place: String, _ detail: String) { errors.append(.init(pointer: place, detail: detail)) }

  /// A member that is read elsewhere.
  mutating func ignore(_ field: String) { known.insert(field) }

  /// Whether there is such a member that isn't null.
  func has(_ field: String) -> Bool { object[field].map { !$0.isNull } ?? false }

  func pointer(to field: String) -> String {
    pointer + "/" + field.replacing("~", with: "~0").replacing("/", with: "~1")
  }

  /// The member, nil where it is absent or null.
  mutating func member(_ field: String) -> JSONValue? {
    known.insert(field)
    return object[field].flatMap { $0.isNull ? nil : $0 }
  }

  private mutating func value<Value>(
    _ field: String, expected: String, _ convert: (JSONValue) -> Value?
  ) -> Value? {
    guard let member = member(field) else { return nil }
    let value = convert(member)
    if value == nil { report(field, "must be \(expected), is \(member.kindDescription)") }
    return value
  }

  mutating func bool(_ field: String) -> Bool? { value(field, expected: "true or false", \.boolValue) }

  mutating func int(_ field: String, in range: ClosedRange<Int>) -> Int? {
    guard let value = value(field, expected: "an integer", \.intValue) else { return nil }
    guard range.contains(value) else {
      report(field, "must be from \(range.lowerBound) to \(range.upperBound), is \(value)")
      return nil
    }
    return value
  }

  /// A list of integers, each more than the one before.
  mutating func risingInts(_ field: String, in range: ClosedRange<Int>, atMost limit: Int) -> [Int]? {
    guard let elements = value(field, expected: "a list of integers", \.arrayValue) else { return nil }
    guard elements.count <= limit else {
      report(field, "may have at most \(limit) elements, has \(elements.count)")
      return nil
    }
    var list: [Int] = []
    for (index, element) in elements.enumerated() {
      let place = pointer(to: field) + "/\(index)"
      guard let value = element.intValue else {
        errors.append(.init(pointer: place, detail: "must be an integer, is \(element.kindDescription)"))
        return nil
      }
      guard range.contains(value) else {
        errors.append(.init(pointer: place, detail: "must be from \(range.lowerBound) to \(range.upperBound), is \(value)"))
        return nil
      }
      if let last = list.last, value <= last {
        errors.append(.init(pointer: place, detail: "must be more than the element before it, which is \(last); is \(value)"))
        return nil
      }
      list.append(value)
    }
    return list
  }

  mutating func double(_ field: String, in range: ClosedRange<Double>) -> Double? {
    guard let value = value(field, expected: "a number", \.doubleValue) else { return nil }
    guard range.contains(value) else {
      report(field, "must be from \(range.lowerBound) to \(range.upperBound), is \(value)")
      return nil
    }
    return value
  }

  mutating func choice<Choice: RawRepresentable & CaseIterable>(
    _ field: String, of type: Choice.Type
  ) -> Choice? where Choice.RawValue == String {
    guard let text = value(field, expected: "a string", \.stringValue) else { return nil }
    guard let choice = Choice(rawValue: text) else {
      let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
      report(field, "must be one of \(known), is \"\(text)\"")
      return nil
    }
    return choice
  }

  /// - Parameter expected: What `isValid` takes, in words.
  mutating func text(_ field: String, required: Bool = false, expected: String, _ isValid: (String) -> Bool) -> String? {
    guard let text = value(field, expected: "a string", \.stringValue) else {
      if required, !has(field) { report(field, "is missing") }
      return nil
    }
    guard isValid(text) else {
      report(field, "must be \(expected), is \"\(text.prefix(120))\"")
      return nil
    }
    return text
  }

  /// A name under which models and datasets are kept: `[A-Za-z0-9._-]{1,96}` and neither `.` nor `..`.
  mutating func name(_ field: String, required: Bool) -> String? {
    guard let text = value(field, expected: "a string", \.stringValue) else {
      if required, !has(field) { report(field, "is missing") }
      return nil
    }
    guard ResourceName.isValid(text) else {
      report(field, "must be a name of 1 to 96 letters, digits, dots, dashes and underscores, not a path; is \"\(text.prefix(120))\"")
      return nil
    }
    return text
  }

  /// Reads the members of an object that this one holds.
  mutating func nested<Value>(_ field: String, _ read: (inout RequestReader) -> Value) -> Value? {
    guard let object = value(field, expected: "an object", \.objectValue) else { return nil }
    return merge(RequestReader(object, at: pointer(to: field)), read)
  }

  /// Reads members through another reader and takes over what it finds wrong.
  @discardableResult mutating func merge<Value>(_ other: RequestReader, _ read: (inout RequestReader) -> Value) -> Value {
    var reader = other
    let value = read(&reader)
    errors += reader.finished()
    return value
  }

  /// Everything found wrong, members that nobody asked for included.
  func finished() -> [Problem.FieldError] {
    let unknown = object.keys.filter { !known.contains($0) }
    let fields = known.sorted().joined(separator: ", ")
    return errors + unknown.map { .init(pointer: pointer(to: $0), detail: "is not a known field; known here: \(fields)") }
  }
}
