import StrictJSON

extension RequestReader {
  static let ruleLimit = 256
  /// Unicode scalars.
  static let patternLimit = 512

  /// `dynamic`: an object from patterns to options, as GPTQModel has it, whose order counts; or, for clients whose objects have no
  /// order, a list of objects with `pattern` among the options.
  mutating func dynamic() -> [DynamicRule]? {
    guard let value = member("dynamic") else { return nil }
    let place = pointer(to: "dynamic")
    let entries: [(pattern: JSONValue?, options: JSONValue, pointer: String)]
    var isList = false
    switch value {
    case .object(let object):
      let rules = RequestReader(object, at: place)
      entries = object.members.map { (.string($0.key), $0.value, rules.pointer(to: $0.key)) }
    case .array(let list):
      entries = list.enumerated().map { ($1["pattern"], $1, "\(place)/\($0)") }
      isList = true
    default:
      report("dynamic", "must be an object from patterns to options, or a list of objects with \"pattern\"; is \(value.kindDescription)")
      return nil
    }
    guard entries.count <= Self.ruleLimit else {
      report("dynamic", "may have at most \(Self.ruleLimit) rules, has \(entries.count)")
      return nil
    }
    var seen: Set<ExactString> = []
    return entries.compactMap { entry in
      guard let rule = rule(entry.pattern, entry.options, isListed: isList, at: entry.pointer) else { return nil }
      guard seen.insert(ExactString(rule.pattern)).inserted else {
        report(at: entry.pointer, "has the pattern of a rule before it, which wins; leave one out")
        return nil
      }
      return rule
    }
  }

  private mutating func rule(_ pattern: JSONValue?, _ options: JSONValue, isListed: Bool, at place: String) -> DynamicRule? {
    guard let object = options.objectValue else {
      report(at: place, "must be an object of options, {} for none; is \(options.kindDescription)")
      return nil
    }
    guard let pattern = pattern?.stringValue else {
      report(at: place, "has no pattern: \"+:\" or \"-:\" and a regular expression")
      return nil
    }
    var rule = DynamicRule(pattern: pattern)
    guard !rule.expression.isEmpty, pattern.unicodeScalars.count <= Self.patternLimit else {
      report(at: place, "must have a pattern of 1 to \(Self.patternLimit) characters after \"+:\" or \"-:\"")
      return nil
    }
    let count = errors.count
    merge(RequestReader(object, at: place)) { reader in
      if isListed { reader.ignore("pattern") }
      rule.bits = reader.bits()
      rule.groupSize = reader.groupSize()
      rule.sym = reader.bool("sym")
      rule.descAct = reader.bool("desc_act")
      rule.mse = reader.bool("mse")
      rule.dampPercent = reader.dampPercent()
    }
    if rule.leavesAlone, rule != DynamicRule(pattern: pattern) {
      report(at: place, "has options, but \"-:\" leaves modules as they are; use \"+:\", or {}")
    }
    return errors.count == count ? rule : nil
  }

  mutating func bits() -> Int? {
    guard let bits = int("bits", in: 2...8) else { return nil }
    if ![2, 3, 4, 8].contains(bits) { report("bits", "must be 2, 3, 4 or 8, is \(bits)") }
    return bits
  }

  mutating func groupSize() -> Int? {
    guard let size = int("group_size", in: -1...(1 << 20)) else { return nil }
    if size == 0 { report("group_size", "must be the number of input channels that share a scale, or -1 for all; is 0") }
    return size
  }
}
