import LinearAlgebra
import Quantization
import Testing

@Suite struct ErrorCompensationTests {
  private static let (outputs, inputs, tokens) = (24, 64, 800)
  private let options = QuantizationOptions(bits: 8, groupSize: 32, ordering: .none, damping: 0.01, errorCompensation: 1)
  private let weight: Matrix<Float>
  /// X and X̂ [tokens, n]; the second is the first with noise and a channel that has lost half of its size.
  private let original: Matrix<Float>
  private let quantized: Matrix<Float>
  private let damped: DampedHessian

  init() throws {
    var random = NormalNumbers()
    weight = Self.matrix(rows: Self.outputs, columns: Self.inputs) { random.next() }
    original = Self.matrix(rows: Self.tokens, columns: Self.inputs) { random.next() }
    var disturbed = original
    for row in 0..<Self.tokens {
      for column in 0..<Self.inputs { disturbed[row, column] += 0.05 * random.next() }
      disturbed[row, 3] *= 0.5
    }
    quantized = disturbed
    var hessian = HessianAccumulator(columns: Self.inputs)
    hessian.add(quantized)
    damped = try DampedHessian(hessian.hessian(), options: options, ladder: DampingLadder(startingAt: 0.01))
  }

  private static func matrix(rows: Int, columns: Int, _ value: () -> Float) -> Matrix<Float> {
    Matrix(rows: rows, columns: columns, elements: (0..<rows * columns).map { _ in value() })
  }

  private func proposal(_ form: ErrorCompensation.Form, heldOut: HeldOutInputs) throws -> CompensationProposal {
    var compensation = ErrorCompensation(strength: 1, form: form, outputs: Self.outputs, inputs: Self.inputs)
    // In two parts, as batches come.
    for rows in [0..<300, 300..<Self.tokens] {
      original.withView { original in
        quantized.withView { quantized in
          switch form {
          case .inputs: compensation.add(original: original[rows: rows], quantized: quantized[rows: rows])
          case .outputs:
            Matrix<Float>(rows: rows.count, columns: Self.outputs) { outputs in
              weight.withView { multiply(original[rows: rows], by: $0, .transposed, into: outputs) }
            }.withView { compensation.add(outputs: $0, quantized: quantized[rows: rows]) }
          }
        }
      }
    }
    let proposal = compensation.proposal(heldOut: heldOut)
    return try #require(proposal)
  }

  private func heldOut(_ quantized: Matrix<Float>) -> HeldOutInputs {
    var heldOut = HeldOutInputs(columns: Self.inputs)
    original.withView { original in quantized.withView { heldOut.add(original: original, quantized: $0) } }
    return heldOut
  }

  /// ‖X·Wᵀ − X̂·Qᵀ‖².
  private func error(_ result: Matrix<Float>) -> Double {
    var sum = 0.0
    for token in 0..<Self.tokens {
      for row in 0..<Self.outputs {
        let difference = (0..<Self.inputs).reduce(Float(0)) {
          $0 + original[token, $1] * weight[row, $1] - quantized[token, $1] * result[row, $1]
        }
        sum += Double(difference * difference)
      }
    }
    return sum
  }

  @Test("Sums of outputs and sums of input differences lead to the same target, which makes up for the lost channel")
  func formsAgree() throws {
    let plain = try damped.quantize(weight, options: options, layer: "l")
    let results = try [ErrorCompensation.Form.inputs, .outputs].map { form in
      try damped.quantize(weight, compensation: proposal(form, heldOut: heldOut(quantized)), options: options, layer: "l")
    }
    #expect(plain.totals.kept(options).errorCompensation == 0)
    #expect(results.map { $0.totals.kept(options).errorCompensation } == [1, 1])
    let weights = results.map { $0.layer.dequantized() }
    // Float32 sums of 800 products differ by some 1e-6 of the weights, which moves few of them over a rounding boundary.
    let equal = zip(weights[0].elements, weights[1].elements).count { abs($0 - $1) < 1e-4 }
    #expect(equal >= weights[0].elements.count * 98 / 100)
    let errors = weights.map(error)
    #expect(abs(errors[0] / errors[1] - 1) < 1e-3)
    // The halved channel's error goes; the noise stays, which is 64 · 0.05² beside that channel's 0.25 for weights of one size.
    #expect(errors[0] < 0.6 * error(plain.layer.dequantized()))
  }

  @Test("Where the blocks before did no harm to held-out inputs, nothing is moved, and the result is the plain one")
  func heldOutDecides() throws {
    let plain = try damped.quantize(weight, options: options, layer: "l")
    let result = try damped.quantize(
      weight, compensation: proposal(.inputs, heldOut: heldOut(original)), options: options, layer: "l")
    #expect(result.totals.kept(options).errorCompensation == 0)
    #expect(result.layer.codes == plain.layer.codes)
  }

  @Test("Inputs that agree have nothing to compensate")
  func needsAnError() {
    var compensation = ErrorCompensation(strength: 1, form: .inputs, outputs: Self.outputs, inputs: Self.inputs)
    original.withView { compensation.add(original: $0, quantized: $0) }
    #expect(compensation.proposal(heldOut: heldOut(original)) == nil)
  }

  @Test("Held-out tokens are thinned out evenly, however they come")
  func thinsOut() {
    for part in [1, 7, 100, 5000] {
      var heldOut = HeldOutInputs(columns: 1)
      for start in stride(from: 0, to: 5000, by: part) {
        let values = Matrix(rows: min(part, 5000 - start), columns: 1, elements: (start..<min(5000, start + part)).map { Float($0) })
        values.withView { heldOut.add(original: $0, quantized: $0) }
      }
      #expect(heldOut.original == stride(from: 0, to: 5000, by: 16).map { Float($0) })
      #expect(heldOut.tokens <= HeldOutInputs.limit)
    }
  }
}

/// Sums of equally distributed numbers that are near enough to a normal distribution, the same on every machine.
private struct NormalNumbers {
  private var generator = SplitMix64(seed: 1)

  mutating func next() -> Float { (0..<12).reduce(-6) { sum, _ in sum + Float(generator.next() >> 40) / Float(1 << 24) } }
}
