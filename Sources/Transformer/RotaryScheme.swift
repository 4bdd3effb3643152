import Foundation

/// How far a position turns each pair of a head's channels.
package struct RotaryScheme: Sendable {
  /// Radians a position; half as many as channels that are turned.
  package var frequencies: [Float]
  /// Used instead in sequences longer than some length.
  fileprivate var long: (frequencies: [Float], beyond: Int)?
  /// By which cosines and sines are multiplied.
  let magnitude: Float

  func frequencies(length: Int) -> [Float] {
    if let long, length > long.beyond { long.frequencies } else { frequencies }
  }
}

extension ConfigurationFields {
  /// The rotary embedding of blocks without, and of blocks with a sliding window, where that differs.
  ///
  /// Fields are those of transformers' `modeling_rope_utils`: `rope_theta` and `rope_scaling`, or, since transformers 5,
  /// `rope_parameters` with both, of all blocks or by layer type.
  func rotary(
    _ architecture: Architecture, headSize: Int, maximumPositions: Int
  ) throws(ModelError) -> (all: RotaryScheme, local: RotaryScheme?) {
    let theta = try positive("rope_theta", default: architecture.rotaryTheta)
    let parameters = try nested("rope_parameters")
    let none = ConfigurationFields([:])
    let older = try nested("rope_scaling") ?? none
    let scaling = try parameters?.nested("full_attention") ?? parameters ?? older
    let partial = try optionalPositive("partial_rotary_factor") ?? 1
    func builder(_ fields: ConfigurationFields, theta: Double) throws(ModelError) -> RotarySchemeBuilder {
      let factor = try fields.positive("partial_rotary_factor", default: partial)
      guard factor <= 1 else { throw .invalidField("partial_rotary_factor", expected: "at most 1", found: "\(factor)") }
      let size = Int(Double(headSize) * factor)
      guard size % 2 == 0, size > 0 else {
        throw .invalidField("head_dim", expected: "even (rotary position embedding pairs channels)", found: String(size))
      }
      let original = try optionalCount("original_max_position_embeddings", limit: 1 << 30)
      return RotarySchemeBuilder(
        fields: fields, size: size, theta: try fields.positive("rope_theta", default: theta), maximumPositions: maximumPositions,
        originalPositions: original)
    }
    let all = try builder(scaling, theta: theta).scheme()
    guard let localTheta = architecture.localRotaryTheta else { return (all, nil) }
    let local = try parameters?.nested("sliding_attention") ?? none
    return (all, try builder(local, theta: try positive("rope_local_base_freq", default: localTheta)).scheme())
  }
}

/// Computes frequencies as transformers' `modeling_rope_utils` does.
private struct RotarySchemeBuilder {
  let fields: ConfigurationFields
  /// Channels that are turned.
  let size: Int
  let theta: Double
  let maximumPositions: Int
  /// Of the whole configuration, which the scaling's own field overrides.
  let originalPositions: Int?

  private enum Kind: String, CaseIterable {
    case standard = "default"
    case linear, llama3, yarn, longrope
  }

  func scheme() throws(ModelError) -> RotaryScheme {
    // Earlier releases called it "type".
    switch try fields.choice(fields.gives("rope_type") ? "rope_type" : "type", default: Kind.standard) {
    case .standard: return RotaryScheme(frequencies: standard.map { Float($0) }, magnitude: 1)
    case .linear:
      let factor = try required("factor")
      return RotaryScheme(frequencies: standard.map { Float($0 / factor) }, magnitude: 1)
    case .llama3: return try llama3()
    case .yarn: return try yarn()
    case .longrope: return try longrope()
    }
  }

  /// θ^(−2i/size) for i < size/2.
  private var standard: [Double] { (0..<size / 2).map { pow(theta, -2 * Double($0) / Double(size)) } }

  private func required(_ name: String) throws(ModelError) -> Double {
    guard let value = try fields.optionalPositive(name) else { throw .missingField("rope_scaling." + name) }
    return value
  }

  private func original() throws(ModelError) -> Double {
    Double(try fields.optionalCount("original_max_position_embeddings", limit: 1 << 30) ?? originalPositions ?? maximumPositions)
  }

  /// Wavelengths beyond the original context are stretched by `factor`, short ones kept, those between interpolated.
  private func llama3() throws(ModelError) -> RotaryScheme {
    let (factor, low, high) = (try required("factor"), try required("low_freq_factor"), try required("high_freq_factor"))
    let original = try original()
    guard high > low else {
      throw .invalidField("rope_scaling.high_freq_factor", expected: "more than low_freq_factor (\(low))", found: "\(high)")
    }
    return RotaryScheme(
      frequencies: standard.map { frequency in
        let turns = original * frequency / (2 * .pi)
        let share = min(1, max(0, (turns - low) / (high - low)))
        return Float((1 - share) * frequency / factor + share * frequency)
      }, magnitude: 1)
  }

  /// YaRN (arXiv 2309.00071): interpolation by wavelength, and larger attention scores.
  private func yarn() throws(ModelError) -> RotaryScheme {
    let original = try original()
    let factor = try fields.optionalPositive("factor") ?? Double(maximumPositions) / original
    let truncates = try fields.bool("truncate", default: true)
    func channel(turning turns: Double) -> Double {
      Double(size) * log(original / (turns * 2 * .pi)) / (2 * log(theta))
    }
    let fast = channel(turning: try fields.positive("beta_fast", default: 32))
    let slow = channel(turning: try fields.positive("beta_slow", default: 1))
    let first = max(0, truncates ? fast.rounded(.down) : fast)
    let last = min(Double(size - 1), truncates ? slow.rounded(.up) : slow)
    let width = last == first ? 0.001 : last - first
    return RotaryScheme(
      frequencies: standard.enumerated().map { index, frequency in
        let share = min(1, max(0, (Double(index) - first) / width))
        return Float(share * frequency / factor + (1 - share) * frequency)
      }, magnitude: Float(try yarnMagnitude(factor)))
  }

  private func yarnMagnitude(_ factor: Double) throws(ModelError) -> Double {
    if let magnitude = try fields.optionalPositive("attention_factor") { return magnitude }
    func magnitude(_ weight: Double) -> Double { factor <= 1 ? 1 : 0.1 * weight * log(factor) + 1 }
    if let each = try fields.optionalPositive("mscale"), let all = try fields.optionalPositive("mscale_all_dim") {
      return magnitude(each) / magnitude(all)
    }
    return magnitude(1)
  }

  /// LongRoPE (arXiv 2402.13753): a factor for each pair of channels, others in sequences longer than the original context.
  private func longrope() throws(ModelError) -> RotaryScheme {
    let original = try original()
    let factor = try fields.optionalPositive("factor") ?? Double(maximumPositions) / original
    let (short, long) = (
      try fields.positives("short_factor", count: size / 2), try fields.positives("long_factor", count: size / 2)
    )
    let magnitude = factor <= 1 || original <= 1 ? 1 : (1 + log(factor) / log(original)).squareRoot()
    return RotaryScheme(
      frequencies: zip(standard, short).map { Float($0 / $1) }, long: (zip(standard, long).map { Float($0 / $1) }, Int(original)),
      magnitude: Float(try fields.optionalPositive("attention_factor") ?? magnitude))
  }
}
