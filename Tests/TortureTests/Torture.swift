import Foundation
import Quantization
import Testing

/// How much the suites of this target do: a sample in `make test`, all of it in `make torture`.
enum Torture {
  static let isLong = ProcessInfo.processInfo.environment["GPTQD_TORTURE"] == "1"

  /// Of the daemon, at named points and at random moments together.
  static var kills: Int { isLong ? 500 : 30 }
  /// How many of them come at a random moment.
  static var randomKills: Int { isLong ? 150 : 8 }
  /// Power cuts after which the daemon is run to its end; nil: all.
  static var resumedPowerCuts: Int? { isLong ? nil : 8 }
  /// Power cuts whose state is looked at; nil: all.
  static var inspectedPowerCuts: Int? { isLong ? nil : 60 }
  /// Of each parser.
  static var fuzzing: Duration { isLong ? .seconds(600) : .seconds(2) }

  /// Of everything random. `make test` is the same each time; `GPTQD_TORTURE_SEED` repeats a run of `make torture`.
  static let seed: UInt64 =
    ProcessInfo.processInfo.environment["GPTQD_TORTURE_SEED"].flatMap(UInt64.init)
    ?? (isLong ? UInt64(Date().timeIntervalSince1970) : 1)

  /// For the messages of failed expectations.
  static var seedNote: String { "GPTQD_TORTURE_SEED=\(seed)" }
}

/// Of all suites that start daemons, one after the other: they measure time, and the machine may have two cores.
@Suite(.serialized) enum DaemonTorture {}

/// Seeded random numbers, the same on every machine.
struct Chance: RandomNumberGenerator {
  private var generator: SplitMix64

  /// - Parameter stream: Tells the generators of one seed apart.
  init(seed: UInt64 = Torture.seed, stream: UInt64) {
    var mixer = SplitMix64(seed: seed)
    generator = SplitMix64(seed: mixer.next() ^ (stream &* 0x9E37_79B9_7F4A_7C15))
  }

  mutating func next() -> UInt64 { generator.next() }
}

extension Array {
  /// `count` of the elements, the first and the last among them, at equal distances; all where there are no more.
  func spread(_ count: Int?) -> [Element] {
    guard let count, count < self.count else { return self }
    guard count > 1 else { return Array(prefix(count)) }
    return (0..<count).map { self[$0 * (self.count - 1) / (count - 1)] }
  }
}

/// Calls `body` for each element, `width` at a time.
func concurrently<Element: Sendable>(
  _ elements: [Element], width: Int = 2, _ body: @escaping @Sendable (Element) async throws -> Void
) async throws {
  try await withThrowingTaskGroup(of: Void.self) { group in
    for (index, element) in elements.enumerated() {
      if index >= width { try await group.next() }
      group.addTask { try await body(element) }
    }
    try await group.waitForAll()
  }
}
