/// One line of `gptqd check`.
public struct CheckResult: Sendable, Hashable {
  public let name: String
  public let passed: Bool
  public let detail: String

  public init(name: String, passed: Bool, detail: String) {
    self.name = name
    self.passed = passed
    self.detail = detail
  }
}
