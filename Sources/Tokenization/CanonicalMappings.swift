import Foundation

/// The canonical decompositions and compositions of UnicodeData.txt (Unicode 9), Hangul syllables apart.
///
/// Which scalars have one is listed here, what it is comes from Foundation.
struct CanonicalMappings: Sendable {
  static let unicode = CanonicalMappings()

  /// By scalar, its full canonical decomposition.
  private var decompositions: [UInt32: [UInt32]] = [:]
  /// By first scalar (upper half) and second, what they compose to.
  private var compositions: [UInt64: UInt32] = [:]

  private init() {
    for scalar in Self.scalars(Self.primaryComposites) + Self.scalars(Self.decomposedForGood) {
      guard let text = Unicode.Scalar(scalar).map(String.init) else { continue }
      decompositions[scalar] = text.decomposedStringWithCanonicalMapping.unicodeScalars.map(\.value)
    }
    // A composite's last scalar joins what the others compose to, which is shorter and so known by then.
    let composites = Self.scalars(Self.primaryComposites).map { ($0, decomposition(of: $0)) }
    for (composite, parts) in composites.sorted(by: { $0.1.count < $1.1.count }) {
      let first = parts.dropFirst().dropLast().reduce(parts[0]) { self.composite(of: $0, $1) ?? $0 }
      compositions[Self.key(first, parts[parts.count - 1])] = composite
    }
  }

  func decomposition(of scalar: UInt32) -> [UInt32] { decompositions[scalar] ?? [scalar] }

  func composite(of first: UInt32, _ second: UInt32) -> UInt32? { compositions[Self.key(first, second)] }

  private static func key(_ first: UInt32, _ second: UInt32) -> UInt64 { UInt64(first) << 32 | UInt64(second) }

  private static func scalars(_ ranges: String) -> [UInt32] {
    ranges.split(separator: " ").flatMap { range in
      let bounds = range.split(separator: "-").compactMap { UInt32($0, radix: 16) }
      return Array(bounds[0]...bounds[bounds.count - 1])
    }
  }

  private static let primaryComposites = """
    C0-C5 C7-CF D1-D6 D9-DD E0-E5 E7-EF F1-F6 F9-FD FF-10F 112-125 128-130 134-137 139-13E 143-148 14C-151 154-165 168-17E \
    1A0-1A1 1AF-1B0 1CD-1DC 1DE-1E3 1E6-1F0 1F4-1F5 1F8-21B 21E-21F 226-233 385-386 388-38A 38C 38E-390 3AA-3B0 3CA-3CE 3D3-3D4 \
    400-401 403 407 40C-40E 419 439 450-451 453 457 45C-45E 476-477 4C1-4C2 4D0-4D3 4D6-4D7 4DA-4DF 4E2-4E7 4EA-4F5 4F8-4F9 \
    622-626 6C0 6C2 6D3 929 931 934 9CB-9CC B48 B4B-B4C B94 BCA-BCC C48 CC0 CC7-CC8 CCA-CCB D4A-D4C DDA DDC-DDE 1026 1B06 1B08 \
    1B0A 1B0C 1B0E 1B12 1B3B 1B3D 1B40-1B41 1B43 1E00-1E99 1E9B 1EA0-1EF9 1F00-1F15 1F18-1F1D 1F20-1F45 1F48-1F4D 1F50-1F57 1F59 \
    1F5B 1F5D 1F5F-1F70 1F72 1F74 1F76 1F78 1F7A 1F7C 1F80-1FB4 1FB6-1FBA 1FBC 1FC1-1FC4 1FC6-1FC8 1FCA 1FCC-1FD2 1FD6-1FDA \
    1FDD-1FE2 1FE4-1FEA 1FEC-1FED 1FF2-1FF4 1FF6-1FF8 1FFA 1FFC 219A-219B 21AE 21CD-21CF 2204 2209 220C 2224 2226 2241 2244 2247 \
    2249 2260 2262 226D-2271 2274-2275 2278-2279 2280-2281 2284-2285 2288-2289 22AC-22AF 22E0-22E3 22EA-22ED 304C 304E 3050 3052 \
    3054 3056 3058 305A 305C 305E 3060 3062 3065 3067 3069 3070-3071 3073-3074 3076-3077 3079-307A 307C-307D 3094 309E 30AC 30AE \
    30B0 30B2 30B4 30B6 30B8 30BA 30BC 30BE 30C0 30C2 30C5 30C7 30C9 30D0-30D1 30D3-30D4 30D6-30D7 30D9-30DA 30DC-30DD 30F4 \
    30F7-30FA 30FE 1109A 1109C 110AB 1112E-1112F 1134B-1134C 114BB-114BC 114BE 115BA-115BB
    """

  /// Singletons, non-starter decompositions and composition exclusions: Full_Composition_Exclusion.
  private static let decomposedForGood = """
    340-341 343-344 374 37E 387 958-95F 9DC-9DD 9DF A33 A36 A59-A5B A5E B5C-B5D F43 F4D F52 F57 F5C F69 F73 F75-F76 F78 F81 F93 \
    F9D FA2 FA7 FAC FB9 1F71 1F73 1F75 1F77 1F79 1F7B 1F7D 1FBB 1FBE 1FC9 1FCB 1FD3 1FDB 1FE3 1FEB 1FEE-1FEF 1FF9 1FFB 1FFD \
    2000-2001 2126 212A-212B 2329-232A 2ADC F900-FA0D FA10 FA12 FA15-FA1E FA20 FA22 FA25-FA26 FA2A-FA6D FA70-FAD9 FB1D FB1F \
    FB2A-FB36 FB38-FB3C FB3E FB40-FB41 FB43-FB44 FB46-FB4E 1D15E-1D164 1D1BB-1D1C0 2F800-2FA1D
    """
}
