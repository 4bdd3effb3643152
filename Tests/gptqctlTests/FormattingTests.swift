import Testing
import gptqctl

@Suite struct FormattingTests {
  @Test(
    "A count of bytes changes its unit where its digits would",
    arguments: [
      (1, "1 B"), (1025, "1.0 KiB"), (1_048_524, "1023.9 KiB"), (1_048_575, "1.0 MiB"), (1_048_576, "1.0 MiB"),
      ((1 << 30) - 1, "1.0 GiB"), ((1 << 40) - 1, "1.0 TiB"), (-1, "-1 B"), (Int.min, "\(Int.min) B"),
    ])
  func bytes(_ count: Int, _ text: String) { #expect(Formatting.bytes(count) == text) }

  @Test(
    "Durations round to what they show",
    arguments: [
      (0.04, "0.0 s"), (10, "10 s"), (59.6, "1 min 0 s"), (3599.6, "1 h 0 min"), (86_400, "24 h 0 min"), (1e300, "277777 h 46 min"),
    ])
  func durations(_ seconds: Double, _ text: String) { #expect(Formatting.duration(seconds) == text) }

  @Test(
    "Three digits, whatever the size",
    arguments: [
      (0.001, "0.00100"), (0.000_999_999, "1.00e-3"), (9.999e-4, "1.00e-3"), (9.994e-4, "9.99e-4"), (9999.4, "10000"), (10_000, "1.00e4"),
      (99_999, "1.00e5"), (-0.000_5, "-5.00e-4"), (1e308, "1.00e308"), (.greatestFiniteMagnitude, "1.80e308"),
      (.leastNonzeroMagnitude, "5.00e-324"), (-0.0, "0"),
    ])
  func significant(_ value: Double, _ text: String) { #expect(Formatting.significant(value) == text) }

  @Test("What is no number is shown as such", arguments: [(Double.nan, "NaN"), (.infinity, "INF"), (-.infinity, "-INF")])
  func notFinite(_ value: Double, _ text: String) { #expect(Formatting.significant(value) == text) }

  @Test("Shapes and absent values")
  func others() {
    #expect(Formatting.shape([896, 4864]) == "896 × 4864")
    #expect(Formatting.shape([]).isEmpty)
    #expect(Formatting.optional(Int?.none) == "–")
    #expect(Formatting.optional(5) == "5")
    #expect(Formatting.fixed(1234.5, 2) == "1234.50")
  }
}
