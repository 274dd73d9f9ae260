"""The name of the OpenGL renderer that Blender would get without a display, asked of EGL; nothing is drawn."""

from __future__ import annotations

import ctypes
import ctypes.util

EGL_OPENGL_API, EGL_NONE = 0x30A2, 0x3038
EGL_SURFACE_TYPE, EGL_PBUFFER_BIT = 0x3033, 0x0001
EGL_RENDERABLE_TYPE, EGL_OPENGL_BIT = 0x3040, 0x0008
EGL_PLATFORM_SURFACELESS_MESA = 0x31DD
GL_RENDERER = 0x1F01


def gl_renderer() -> str | None:
    """The renderer's name, e.g. `NVIDIA H100 PCIe/PCIe/SSE2` or `llvmpipe (LLVM 15.0.6, 256 bits)`.

    None where EGL is missing or gives no context.
    """
    name = ctypes.util.find_library("EGL")
    if name is None:
        return None
    egl = ctypes.CDLL(name)
    for function in ("eglGetDisplay", "eglGetPlatformDisplay", "eglCreateContext", "eglGetProcAddress"):
        getattr(egl, function).restype = ctypes.c_void_p
    display = ctypes.c_void_p(egl.eglGetDisplay(None))
    if not display or not egl.eglInitialize(display, None, None):
        display = ctypes.c_void_p(egl.eglGetPlatformDisplay(EGL_PLATFORM_SURFACELESS_MESA, None, None))
        if not display or not egl.eglInitialize(display, None, None):
            return None
    try:
        return _renderer_of(egl, display)
    finally:
        egl.eglTerminate(display)


def _renderer_of(egl: ctypes.CDLL, display: ctypes.c_void_p) -> str | None:
    """Make a context without a surface current and ask it for its renderer."""
    if not egl.eglBindAPI(EGL_OPENGL_API):
        return None
    # Without naming the kind of surface, EGL offers windows only, and there are none without a display.
    wanted = (ctypes.c_int * 5)(EGL_SURFACE_TYPE, EGL_PBUFFER_BIT, EGL_RENDERABLE_TYPE, EGL_OPENGL_BIT, EGL_NONE)
    config, count = ctypes.c_void_p(), ctypes.c_int()
    if not egl.eglChooseConfig(display, wanted, ctypes.byref(config), 1, ctypes.byref(count)) or not count.value:
        return None
    context = ctypes.c_void_p(egl.eglCreateContext(display, config, None, None))
    if not context or not egl.eglMakeCurrent(display, None, None, context):
        return None
    try:
        address = egl.eglGetProcAddress(b"glGetString")
        if not address:
            return None
        text = ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_uint)(address)(GL_RENDERER)
        return text.decode() if text else None
    finally:
        egl.eglMakeCurrent(display, None, None, None)
        egl.eglDestroyContext(display, context)
