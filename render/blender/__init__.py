"""The only folder that imports bpy and BlenderProc: a SceneSpec becomes frames with instance ids."""
