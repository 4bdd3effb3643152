import Foundation
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
    case "model": values += models
    case "webhook": values += webhooks
    default: break
    }
    return values
  }

  /// What any field could get.
  static let common: [JSONValue] = [
    .null, true, false, 0, 1, -1, 2, 4, 4.0, 128, 0.5, -0.0, 1e300, -1e300, .integer(.max), .integer(.min),
    9_223_372_036_854_775_808.0, "", "m",
    "gptq", "a b", "a\n", "..", ".", "...", "é", "e\u{301}", "\u{0}", "../m", .string(String(repeating: "m", count: 96)),
    .string(String(repeating: "m", count: 97)), [], [0],
    [1], ["m"], [.null], [:], ["dataset": "d"], ["dataset": .null], ["bits": 4], ["unknown": 1], ["method": "rtn"], ["start": "fixed"],
  ]

  private static let models: [JSONValue] = [
    ["hub": "a/b"], ["hub": "a/b", "revision": "main"], ["hub": "a/b", "revision": .null], ["hub": "a/b", "revision": "refs/pr/1"],
    ["hub": "a/b", "commit": .string(String(repeating: "a", count: 40))],
    ["hub": "a/b", "commit": .string(String(repeating: "A", count: 40))],
    ["hub": "a/b", "commit": .null], ["hub": .null], ["hub": 1], ["hub": "a"], ["hub": "a/b/c"], ["hub": "../b"], ["hub": "a/.."],
    ["hub": "./b"],
    ["hub": "a/..."], ["hub": "/b"], ["hub": "a/"], ["hub": "a b/c"], ["hub": .string("a/" + String(repeating: "b", count: 97))],
    ["hub": "a/b", "revision": ""], ["hub": "a/b", "revision": "-x"], ["hub": "a/b", "revision": "a..b"], ["hub": "a/b", "revision": ".a"],
    ["hub": "a/b", "revision": "a/.b"], ["hub": "a/b", "revision": "a//b"], ["hub": "a/b", "revision": "a/"],
    ["hub": "a/b", "revision": 1],
    ["hub": "a/b", "revision": .string(String(repeating: "a", count: 97))], ["hub": "a/b", "unknown": 1], ["revision": "main"],
  ]

  private static let webhooks: [JSONValue] = [
    ["url": "https://example.com/x", "secret": secret(32)], ["url": "HTTP://[::1]:8080", "secret": secret(24)],
    ["url": "https://example.com", "secret": secret(64)], ["url": "https://example.com", "secret": secret(12)],
    ["url": "https://example.com", "secret": "whsec_"], ["url": "https://example.com", "secret": .null], ["url": "https://example.com"],
    ["url": "ftp://example.com", "secret": secret(32)], ["url": "https://exa mple.com", "secret": secret(32)],
    ["url": .null, "secret": secret(32)], ["secret": secret(32)], ["url": "https://example.com", "secret": secret(32), "unknown": 1],
  ]

  private static func secret(_ bytes: Int) -> JSONValue { .string("whsec_" + Data(repeating: 7, count: bytes).base64EncodedString()) }

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
