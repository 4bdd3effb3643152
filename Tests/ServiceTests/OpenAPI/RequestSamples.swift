import StrictJSON

/// Values for the fields of a request's schema, right ones and wrong ones.
enum RequestSamples {
  struct Field {
    let path: [String]
    let schema: JSONValue
  }

  /// Every member of the schema and of the objects in it, and at each level one that isn't there.
  static func fields(of schema: JSONValue, at path: [String] = []) -> [Field] {
    guard let properties = schema["properties"]?.objectValue else { return [] }
    return properties.members.flatMap { name, schema in
      [Field(path: path + [name], schema: schema)] + fields(of: schema, at: path + [name])
    } + [Field(path: path + ["unknown"], schema: false)]
  }

  static func values(for field: Field) -> [JSONValue] {
    let schema = field.schema
    var values = common + (schema["enum"]?.arrayValue ?? [])
    for bound in [schema["minimum"], schema["maximum"]] {
      guard let bound else { continue }
      values.append(bound)
      if case .integer(let number) = bound {
        values += [number.addingReportingOverflow(1), number.subtractingReportingOverflow(1)].filter { !$0.overflow }.map {
          .integer($0.partialValue)
        }
        values.append(.number(Double(number)))
      } else if let number = bound.doubleValue {
        values += [.number(number.nextUp), .number(number.nextDown), .number(-number)]
      }
    }
    if let example = schema["default"] { values.append(example) }
    switch field.path.last {
    case "dynamic": values += rules
    case "escalate_samples": values += lists
    default: break
    }
    return values
  }

  /// What any field could get.
  static let common: [JSONValue] = [
    .null, true, false, 0, 1, -1, 2, 4, 4.0, 128, 0.5, -0.0, 1e300, -1e300, 5e-324, .integer(.max), .integer(.min),
    9_223_372_036_854_775_808.0, "", "m",
    "gptq", "a b", "a\n", "..", ".", "...", "é", "e\u{301}", "\u{0}", "../m", .string(String(repeating: "m", count: 96)),
    .string(String(repeating: "m", count: 97)), [], [0],
    [1], ["m"], [.null], [:], ["dataset": "d"], ["dataset": .null], ["bits": 4], ["unknown": 1], ["method": "rtn"], ["start": "fixed"],
  ]

  private static let lists: [JSONValue] = [
    [256, 512], [512, 256], [1, 1], [1, 1.0], [1.5], [1, .null], [0, 1], [1_048_576], [1_048_577],
    .array((1...16).map { .integer($0) }), .array((1...17).map { .integer($0) }),
  ]

  private static let rules: [JSONValue] = {
    let patterns = ["+:a", "-:a", "a", "", "+", "-", "+:", "-:", "+:-:a", " -:a", "-:\u{301}", "+:\u{301}", "é", "+:\n", "^(?!-:)"]
    let long = [510, 511, 512, 513].map { String(repeating: "é", count: $0) }
    let options: [JSONValue] = [
      [:], ["bits": 8], ["bits": 5], ["bits": .null], ["group_size": 0], ["group_size": -1], ["sym": 1], ["desc_act": true],
      ["mse": false, "damp_percent": 1], ["damp_percent": 1.5], ["pattern": "x"], ["format": "gptq"], .null, 8,
    ]
    var rules: [JSONValue] = []
    for pattern in patterns + long {
      for option in options {
        rules.append(JSONValue.object([:]).setting([pattern], option))
        if option.objectValue != nil { rules.append([option.setting(["pattern"], .string(pattern))]) }
      }
    }
    let many = (0...256).map { "+:\($0)" }
    for count in [256, 257] {
      rules.append(many.prefix(count).reduce([:]) { $0.setting([$1], [:]) })
      rules.append(.array(many.prefix(count).map { ["pattern": .string($0)] }))
    }
    return rules + [
      [["bits": 8]], [["pattern": .null]], [["pattern": 1]], [["pattern": "a"], ["pattern": "a", "bits": 8]], [["pattern": "a"], "b"],
      [["pattern": "é"], ["pattern": "e\u{301}"]], "a",
    ]
  }()
}

extension JSONValue {
  /// The value with a member set, however deep; what isn't an object on the way becomes one.
  func setting(_ path: [String], _ value: JSONValue) -> JSONValue {
    guard let name = path.first else { return value }
    var object = objectValue ?? [:]
    object[name] = (object[name] ?? [:]).setting(Array(path.dropFirst()), value)
    return .object(object)
  }
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers in each run.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
