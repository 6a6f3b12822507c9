// Builds, and ends with what to do where WebGPU does not work.
const path = require("node:path");
const build = require("../support/build.cjs");

const HELP = `
WebGPU does not work here: REASON.

These tests need a Vulkan driver of 2024 or later. Without a GPU, Mesa's software driver (lavapipe) does:

  Debian 12    its own Mesa 22.3 is refused; the one of Debian's backports works. With bookworm-backports among
               the package sources:
                 apt-get install -t bookworm-backports mesa-vulkan-drivers libvulkan1
  Debian 13 or Ubuntu 24.04 and later
                 apt-get install mesa-vulkan-drivers libvulkan1

Without installing anything: download the same packages, unpack them with dpkg -x into a folder, and set
LD_LIBRARY_PATH to its usr/lib/x86_64-linux-gnu and VK_DRIVER_FILES to its usr/share/vulkan/icd.d/lvp_icd.json.
`;

module.exports = async () => {
  build();
  const device = path.join(__dirname, "../../dist/src/engine/runtime/device.js");
  const { probeDevice } = await import(device);
  const probe = await probeDevice("webgpu");
  if (!probe.works) throw new Error(HELP.replace("REASON", probe.reason));
};
