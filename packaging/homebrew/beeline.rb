# The formula of a tap, `brew install beeline-transfer/tap/beeline`. scripts/packaging.mjs fills in what stands in braces.
class Beeline < Formula
  desc "Send files of any size straight from one machine to another"
  homepage "https://github.com/beeline-transfer/beeline"
  version "{version}"
  license "Apache-2.0"

  on_macos do
    on_arm do
      url "{release}/beeline-macos-arm64"
      sha256 "{sha256 beeline-macos-arm64}"
    end
    on_intel do
      url "{release}/beeline-macos-x64"
      sha256 "{sha256 beeline-macos-x64}"
    end
  end

  on_linux do
    on_arm do
      url "{release}/beeline-linux-arm64"
      sha256 "{sha256 beeline-linux-arm64}"
    end
    on_intel do
      url "{release}/beeline-linux-x64"
      sha256 "{sha256 beeline-linux-x64}"
    end
  end

  def install
    bin.install Dir["beeline-*"].first => "beeline"
    chmod 0755, bin/"beeline"
    generate_completions_from_executable(bin/"beeline", "completion", shells: [:bash, :zsh, :fish])
    (man1/"beeline.1").write Utils.safe_popen_read(bin/"beeline", "help", "--man")
  end

  test do
    assert_equal version.to_s, shell_output("#{bin}/beeline --version").strip
    assert_match "complete -F", (bash_completion/"beeline").read
  end
end
